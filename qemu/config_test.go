package qemu

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestArgsAreExact(t *testing.T) {
	program, args, err := Config{Kernel: "k.elf", Accel: AccelTCG}.Args()
	if err != nil {
		t.Fatal(err)
	}
	const want = "qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -serial stdio" +
		" -M microvm,pit=on,pic=on,rtc=on,auto-kernel-cmdline=off -global virtio-mmio.force-legacy=false" +
		" -device isa-debug-exit,iobase=0xf4,iosize=0x04 -accel tcg -cpu max -smp 1 -m 128M -kernel k.elf" +
		" -netdev user,id=net0 -device virtio-net-device,netdev=net0"
	if got := CommandLine(program, args); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestArgsCarryEverySetting(t *testing.T) {
	ports, err := ParsePorts("8080:80,5001:5001/udp,0.0.0.0:2222:22")
	if err != nil {
		t.Fatal(err)
	}
	_, args, err := Config{
		Board: "microvm", Kernel: "a b.elf", Mem: 4 * gib, CPUs: 2, CPU: "qemu64,+rdrand",
		Cmdline: "ip=10.0.2.15/24 hostname=it's", Ports: ports, Devices: []string{"virtio-rng-device"}, Accel: AccelTCG,
	}.Args()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{
		{"-m", "4096M"},
		{"-smp", "2"},
		{"-cpu", "qemu64,+rdrand"},
		{"-kernel", "a b.elf", "-append", "ip=10.0.2.15/24 hostname=it's"},
		{"-netdev", "user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp:127.0.0.1:5001-:5001,hostfwd=tcp:0.0.0.0:2222-:22"},
		{"-device", "virtio-rng-device"},
	} {
		if !containsRun(args, want) {
			t.Errorf("%q is not in %q", want, args)
		}
	}
}

func containsRun(all, run []string) bool {
	for i := range all {
		if len(all[i:]) >= len(run) && slices.Equal(all[i:i+len(run)], run) {
			return true
		}
	}
	return false
}

func TestBadSettingsAreNamed(t *testing.T) {
	good := Config{Kernel: "k.elf", Accel: AccelTCG}
	tests := []struct {
		name, field, value, allowed string
		change                      func(*Config)
	}{
		{"unknown board", "Board", "vax", "microvm", func(c *Config) { c.Board = "vax" }},
		{"no kernel", "Kernel", "", "ELF", func(c *Config) { c.Kernel = "" }},
		{"too little RAM", "Mem", "8M", "from 16M to 64G", func(c *Config) { c.Mem = 8 * mib }},
		{"too much RAM", "Mem", "1T", "from 16M to 64G", func(c *Config) { c.Mem = 1 << 40 }},
		{"odd RAM", "Mem", "65K", "whole megabytes", func(c *Config) { c.Mem = 65 << 10 }},
		{"too many CPUs", "CPUs", "17", "1 to 16", func(c *Config) { c.CPUs = 17 }},
		{"negative CPUs", "CPUs", "-1", "1 to 16", func(c *Config) { c.CPUs = -1 }},
		{"blank in the CPU", "CPU", "max -S", "qemu64,+rdrand", func(c *Config) { c.CPU = "max -S" }},
		{"two command lines", "Cmdline", "a\nb", "one line", func(c *Config) { c.Cmdline = "a\nb" }},
		{"option as device", "Devices", "-monitor", "-device help", func(c *Config) { c.Devices = []string{"-monitor"} }},
		{"unknown accelerator", "Accel", "hvf", "auto, kvm, tcg", func(c *Config) { c.Accel = "hvf" }},
		{"unknown protocol", "Ports", "1:2/sctp", "tcp and udp", func(c *Config) { c.Ports = []Forward{{Proto: "sctp", Port: 1, Guest: 2}} }},
		{"no guest port", "Ports", "1:0", "of the guest", func(c *Config) { c.Ports = []Forward{{Proto: "tcp", Port: 1}} }},
		{"host port twice", "Ports", "8080/tcp", "once", func(c *Config) {
			c.Ports = []Forward{{Proto: "tcp", Port: 8080, Guest: 80}, {Proto: "tcp", Port: 8080, Guest: 81, Host: loopback}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			_, _, err := c.Args()
			var bad *ConfigError
			if !errors.As(err, &bad) {
				t.Fatalf("got error %v, want a ConfigError", err)
			}
			if bad.Field != tt.field || bad.Value != tt.value || !strings.Contains(bad.Allowed, tt.allowed) {
				t.Errorf("got %v; want field %s, value %q, allowed …%s…", bad, tt.field, tt.value, tt.allowed)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	good := map[string]uint64{"64M": 64 * mib, "64m": 64 * mib, "128": 128 * mib, "4G": 4 * gib, "2048K": 2 * mib, "1T": 1 << 40}
	for in, want := range good {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "M", "0", "-1M", "64MB", "1.5G", "99999999999999T", "64 M", "é"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", in, got)
		}
	}
}

func TestFormatSizeIsReadBack(t *testing.T) {
	for _, want := range []uint64{1 << 10, 64 * mib, 100 * mib, gib, 4 * gib, 1 << 40} {
		got, err := ParseSize(FormatSize(want))
		if err != nil || got != want {
			t.Errorf("ParseSize(%s) = %d, %v; want %d", FormatSize(want), got, err, want)
		}
	}
}

func TestParsePorts(t *testing.T) {
	got, err := ParsePorts("8080:80, 5001:5001/UDP,0:7")
	if err != nil {
		t.Fatal(err)
	}
	want := []Forward{{Proto: "tcp", Port: 8080, Guest: 80}, {Proto: "udp", Port: 5001, Guest: 5001}, {Proto: "tcp", Guest: 7}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, err := ParsePorts(" "); err != nil || got != nil {
		t.Errorf("an empty list gave %v, %v", got, err)
	}
	for _, in := range []string{"80", "80:", ":80", "a:b", "65536:80", "80:0", "8080:80/sctp", "8080:80,", "::1:80:80", "1:2:3:4", "8080:80,8080:81"} {
		var bad *ConfigError
		if got, err := ParsePorts(in); !errors.As(err, &bad) {
			t.Errorf("ParsePorts(%q) = %v, %v; want a ConfigError", in, got, err)
		}
	}
}

func FuzzParsePorts(f *testing.F) {
	for _, s := range []string{"8080:80", "8080:80,5001:5001/udp", "0.0.0.0:1:2/tcp", ":", "/", "1:2/udp,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ports, err := ParsePorts(s)
		if err != nil {
			return
		}
		for _, p := range ports {
			again, err := ParsePorts(p.String())
			if err != nil || len(again) != 1 || again[0].hostfwd() != p.hostfwd() {
				t.Errorf("%q gave %v, read back as %v, %v", s, p, again, err)
			}
		}
	})
}

func TestProbeKVM(t *testing.T) {
	errOpen := errors.New("permission denied")
	tests := []struct {
		name, cpuinfo string
		open          error
		want          string // part of the error; "" is none
	}{
		{"Intel", "processor\t: 0\nflags\t\t: fpu vmx sse2\n", nil, ""},
		{"AMD", "flags\t\t: fpu svm\n", nil, ""},
		{"paravirtual device without the flag", "flags\t\t: fpu sse2 svm_lock xvmx\n", nil, "neither vmx nor svm"},
		{"flag named elsewhere", "model name\t: vmx\nflags\t\t: fpu\n", nil, "neither vmx nor svm"},
		{"device not ours", "flags\t\t: vmx\n", errOpen, "permission denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := probeKVM(strings.NewReader(tt.cpuinfo), func() error { return tt.open })
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestNetdevReplacesUserNetworking(t *testing.T) {
	cfg := Config{Kernel: "k.elf", Accel: AccelTCG, Initrd: "initrd.gz", Netdev: "tap,ifname=tap0", More: []string{"-icount", "shift=0"}}
	_, args, err := cfg.Args()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{{"-netdev", "tap,ifname=tap0,id=net0", "-device", "virtio-net-device,netdev=net0"},
		{"-kernel", "k.elf", "-initrd", "initrd.gz"}, {"-icount", "shift=0"}} {
		if !containsRun(args, want) {
			t.Errorf("%q is not in %q", want, args)
		}
	}
	cfg.Ports = []Forward{{Proto: "tcp", Guest: 80}}
	var bad *ConfigError
	if _, _, err := cfg.Args(); !errors.As(err, &bad) || bad.Field != "Netdev" {
		t.Errorf("forwards without user networking gave %v", err)
	}
}
