package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/tamanet/tamanet/drivers/nic"
)

// fullReport is a report in which every field has a value of its own.
func fullReport() Report {
	r := Report{
		Time:       time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Interrupts: make([]Interrupt, 2),
		Interfaces: make([]Interface, 2),
		Routes:     make([]Route, 2),
		Sockets:    make([]Socket, 3),
	}
	for i := range r.Interfaces {
		r.Interfaces[i].Addresses = make([]string, 2)
	}
	counters := make(map[string]uint64)
	r.Interfaces[0].Device = &Device{Counters: counters}
	n := 200 // from 200 to 999 no two values are written alike, in bytes or seconds
	fill(reflect.ValueOf(&r).Elem(), &n)
	new(nic.Stats).Each(func(name string, _ uint64) {
		n++
		counters[name] = uint64(n) << 10
	})
	return r
}

// fill gives each number, text and truth value below v a value, numbers and
// texts one that no other has.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem(), n)
		}
	case reflect.String:
		v.SetString("text" + strconv.Itoa(*n))
	case reflect.Int:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(uint64(*n) << 10)
	case reflect.Float64:
		v.SetFloat(float64(*n))
	case reflect.Bool:
		v.SetBool(true)
	}
}

// leaves calls f with the path and the value of each number and text below v.
func leaves(v reflect.Value, path string, f func(path string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			leaves(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			leaves(v.Index(i), path, f)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			leaves(v.Elem(), path, f)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			leaves(v.MapIndex(k), path+"."+k.String(), f)
		}
	case reflect.String, reflect.Int, reflect.Uint64, reflect.Float64:
		f(path, v)
	}
}

func get(t *testing.T, r Report, method, target string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	newHandler(func() Report { return r }).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

// parse reads a page and returns its elements, and the text that one sees.
func parse(t *testing.T, resp *http.Response) (elements []*html.Node, text string) {
	t.Helper()
	root, err := html.Parse(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for n := range root.Descendants() {
		hidden := n.Parent != nil && (n.Parent.Data == "style" || n.Parent.Data == "script")
		switch {
		case n.Type == html.ElementNode:
			elements = append(elements, n)
		case n.Type == html.TextNode && !hidden:
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return elements, strings.Join(words, " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestPageShowsEveryField(t *testing.T) {
	r := fullReport()
	_, text := parse(t, get(t, r, "GET", "/"))
	if !strings.Contains(text, "2026-03-04 05:06:07 UTC") {
		t.Error("the page lacks the time")
	}
	leaves(reflect.ValueOf(r), "Report", func(path string, v reflect.Value) {
		var forms []string
		switch v.Kind() {
		case reflect.String:
			forms = []string{v.String()}
		case reflect.Int:
			forms = []string{formatCount(v.Int()), strconv.FormatInt(v.Int(), 10)}
		case reflect.Uint64:
			forms = []string{formatCount(v.Uint()), formatBytes(v.Uint())}
		case reflect.Float64:
			forms = []string{formatSeconds(v.Float())}
		}
		for _, form := range forms {
			if strings.Contains(" "+text+" ", " "+form+" ") {
				return
			}
		}
		t.Errorf("the page lacks %s, any of %q", path, forms)
	})
}

// A page with nothing to tell, as on an ordinary OS, is still a whole page.
func TestPageOfAnEmptyReport(t *testing.T) {
	elements, text := parse(t, get(t, Report{}, "GET", "/"))
	for _, want := range []string{"tamanet", "Interrupts", "Routes", "Sockets", "None."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, e := range elements {
		if e.Data == "table" {
			t.Error("the page has an empty table")
		}
	}
}

func TestPageEscapesHostileText(t *testing.T) {
	const hostile = `</title><script>alert(1)</script><img src=x onerror="alert(2)">'{{.}}`
	want, _ := parse(t, get(t, fullReport(), "GET", "/"))

	r := fullReport()
	leaves(reflect.ValueOf(&r), "", func(_ string, leaf reflect.Value) {
		if leaf.Kind() == reflect.String {
			leaf.SetString(hostile)
		}
	})
	got, text := parse(t, get(t, r, "GET", "/"))

	if !strings.Contains(text, hostile) {
		t.Error("the hostile text is not shown as it is")
	}
	if len(got) != len(want) {
		t.Errorf("the hostile text made %d elements of %d", len(got), len(want))
	}
	for _, e := range got {
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> has the handler %s", e.Data, a.Key)
			}
		}
	}
}

// The page must work with no network but the one that brought it, and within
// its own content policy.
func TestPageNeedsNothingElse(t *testing.T) {
	resp := get(t, fullReport(), "GET", "/")
	policy := resp.Header.Get("Content-Security-Policy")
	elements, _ := parse(t, resp)
	var inline int
	for _, e := range elements {
		if src := attr(e, "src"); src != "" {
			t.Errorf("<%s> loads %s", e.Data, src)
		}
		if href := attr(e, "href"); href != "" && href != "/status.json" && !strings.HasPrefix(href, "data:") {
			t.Errorf("<%s> refers to %s", e.Data, href)
		}
		if attr(e, "style") != "" {
			t.Errorf("<%s> has a style attribute, which the policy forbids", e.Data)
		}
		if e.Data == "style" || e.Data == "script" {
			inline++
			if hash := sourceHash(e.FirstChild.Data); !strings.Contains(policy, e.Data+"-src "+hash) {
				t.Errorf("the policy %q does not allow the page's <%s>, %s", policy, e.Data, hash)
			}
		}
	}
	if inline != 2 {
		t.Errorf("%d inline styles and scripts, want one each", inline)
	}
}

func TestStatusJSONIsTheReport(t *testing.T) {
	want := fullReport()
	resp := get(t, want, "GET", "/status.json")
	var got Report
	dec := json.NewDecoder(resp.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/?x=1", 200, "text/html; charset=utf-8"},
		{"GET", "/status.json", 200, "application/json"},
		{"HEAD", "/status.json", 200, "application/json"},
		{"GET", "/status.json/", 404, "text/plain; charset=utf-8"},
		{"GET", "/favicon.ico", 404, "text/plain; charset=utf-8"},
		{"GET", "/page.html", 404, "text/plain; charset=utf-8"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
		{"PUT", "/status.json", 405, "text/plain; charset=utf-8"},
		{"BREW", "/", 405, "text/plain; charset=utf-8"},
		{"OPTIONS", "/", 405, "text/plain; charset=utf-8"},
	}
	server := httptest.NewServer(newHandler(fullReport))
	defer server.Close()
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			req, err := http.NewRequest(test.method, server.URL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status {
				t.Errorf("status %d, want %d", resp.StatusCode, test.status)
			}
			if got := resp.Header.Get("Content-Type"); got != test.contentType {
				t.Errorf("content type %q, want %q", got, test.contentType)
			}
			if (test.method == "HEAD") != (len(body) == 0) {
				t.Errorf("%d bytes of body", len(body))
			}
			if test.status == 200 && resp.ContentLength <= 0 {
				t.Error("no content length")
			}
			if allow := resp.Header.Get("Allow"); test.status == 405 && allow != "GET, HEAD" {
				t.Errorf("allowed are %q", allow)
			}
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff",
				"X-Frame-Options":        "DENY",
				"Referrer-Policy":        "no-referrer",
				"Cache-Control":          "no-store",
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

// Every field has a JSON name that says its unit where it has one.
func TestFieldNames(t *testing.T) {
	var visit func(typ reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Pointer:
			visit(typ.Elem())
		case reflect.Struct:
			if typ == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range typ.NumField() {
				f := typ.Field(i)
				name := f.Tag.Get("json")
				if name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, ",- ") {
					t.Errorf("%s.%s has the JSON name %q", typ.Name(), f.Name, name)
				}
				if strings.Contains(f.Name, "Bytes") && !strings.HasSuffix(name, "_bytes") ||
					strings.Contains(f.Name, "Seconds") && !strings.HasSuffix(name, "_seconds") {
					t.Errorf("%s.%s has the JSON name %q, without its unit", typ.Name(), f.Name, name)
				}
				visit(f.Type)
			}
		}
	}
	visit(reflect.TypeFor[Report]())
}
