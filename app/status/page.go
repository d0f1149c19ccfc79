package main

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"log"
	"net/http"
	"strconv"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var page = template.Must(template.New("page").Funcs(formats).Parse(pageHTML))

// contentPolicy lets the page use its own style and script, known by their
// hashes, and nothing else (Content Security Policy Level 3).
var contentPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"connect-src 'self'; img-src data:; style-src " + sourceHash(pageCSS) + "; script-src " + sourceHash(pageJS)

func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// newHandler serves what collect reports: / as a page, /status.json as JSON.
// Both answer GET and HEAD; other methods get 405, other paths 404.
func newHandler(collect func() Report) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		var body bytes.Buffer
		err := page.Execute(&body, struct {
			Report
			Style  template.CSS
			Script template.JS
		}{collect(), template.CSS(pageCSS), template.JS(pageJS)})
		answer(w, "text/html; charset=utf-8", &body, err)
	})
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) {
		var body bytes.Buffer
		enc := json.NewEncoder(&body)
		enc.SetIndent("", "  ")
		err := enc.Encode(collect())
		answer(w, "application/json", &body, err)
	})
	return secure(mux)
}

// answer sends body, or 500 when it could not be made.
func answer(w http.ResponseWriter, contentType string, body *bytes.Buffer, err error) {
	if err != nil {
		log.Printf("status: rendering %s: %v", contentType, err)
		http.Error(w, "the report could not be rendered; the console says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.Write(body.Bytes()) // for HEAD net/http sends the header alone
}

// secure adds to each answer of next what keeps a browser from guessing types,
// framing the page, running foreign code or keeping a stale copy.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
