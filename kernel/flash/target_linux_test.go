package flash

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSystem is a sysfs and a procfs: a system on sda1, LVM on sdb1 over dm-0 that /home is on, a
// mounted card sdc, and a card sdd that is not in use.
func fakeSystem(t *testing.T, mounts string) *Options {
	t.Helper()
	root := t.TempDir()
	o := &Options{sys: filepath.Join(root, "sys"), proc: filepath.Join(root, "proc")}
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for dev, path := range map[string]string{
		"8:0": "sda", "8:1": "sda/sda1", "8:16": "sdb", "8:17": "sdb/sdb1", "8:32": "sdc", "8:33": "sdc/sdc1", "8:48": "sdd", "8:49": "sdd/sdd1", "253:0": "dm-0",
	} {
		dir := filepath.Join(o.sys, "devices/block", path)
		write(filepath.Join(dir, "dev"), dev+"\n")
		if strings.Contains(path, "/") {
			write(filepath.Join(dir, "partition"), "1\n")
		}
		link := filepath.Join(o.sys, "dev/block", dev)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(o.sys, "devices/block/dm-0/slaves/sdb1/dev"), "8:17\n")
	write(filepath.Join(o.proc, "self/mountinfo"), mounts)
	return o
}

const mountinfo = `22 1 0:21 / /proc rw shared:5 - proc proc rw
24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
25 24 253:0 / /home rw,relatime - ext4 /dev/mapper/vg-home rw
26 24 8:33 / /media/my\040card rw,nosuid - vfat /dev/sdc1 rw
`

func TestDisksInUse(t *testing.T) {
	o := fakeSystem(t, mountinfo)
	uses, err := o.uses()
	if err != nil {
		t.Fatal(err)
	}
	on := func(disk string) (what []string) {
		for _, u := range uses {
			for _, d := range o.disks(u.dev) {
				if d == disk {
					what = append(what, u.what)
				}
			}
		}
		return what
	}
	for disk, want := range map[string]string{"sda": "/", "sdb": "/home", "sdc": "/media/my card", "sdd": ""} {
		if got := strings.Join(on(disk), ","); got != want {
			t.Errorf("%s: %q, want %q", disk, got, want)
		}
	}
	for what, want := range map[string]bool{"/": true, "/boot": true, "/home": true, "swap space": true, "/media/my card": false} {
		if (use{what: what}).system() != want {
			t.Errorf("%s: system is %v", what, !want)
		}
	}
}

func TestDiskRefusals(t *testing.T) {
	o := fakeSystem(t, mountinfo)
	for _, tc := range []struct{ dev, want string }{
		{"8:0", "runs from: / is on it"},
		{"8:16", "runs from: /home is on it"},
		{"8:32", "in use: /media/my card is on it"},
		{"8:49", "is a partition; the image goes ahead of the first one, so name the disk, /dev/sdd"},
		{"8:64", "what it is cannot be told"},
		{"8:48", ""},
	} {
		o.Target = "/dev/x"
		err := o.checkDevice(tc.dev)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.dev, err)
			}
		} else if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want ErrRefused with %q", tc.dev, err, tc.want)
		}
	}
	if err := os.WriteFile(filepath.Join(o.sys, "devices/block/sdd/ro"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := o.checkDevice("8:48"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "write-protected") {
		t.Errorf("write-protected: %v", err)
	}
}

// TestLoopDevice flashes a real block device.
func TestLoopDevice(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loop devices need root")
	}
	path := card(t, 8*mib, mbr(10240))
	out, err := exec.Command("losetup", "--find", "--show", "--partscan", path).Output()
	if err != nil {
		t.Skipf("no loop device: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { exec.Command("losetup", "--detach", dev).Run() })
	img := image(t, 3*mib)
	if err := Write(context.Background(), Options{Target: dev, Image: img}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dev + "p1"); err == nil {
		if err := Write(context.Background(), Options{Target: dev + "p1", Image: img}); !errors.Is(err, ErrRefused) {
			t.Errorf("a partition: %v", err)
		}
	}
	busy, err := os.OpenFile(dev, os.O_RDWR|os.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := Write(context.Background(), Options{Target: dev, Image: img}); !errors.Is(err, ErrRefused) {
		t.Errorf("a device that is held by somebody: %v", err)
	}
}
