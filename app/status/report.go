package main

import "time"

// Report is what the kernel knows at one moment. The page shows it, and
// /status.json is it. Names that end in _bytes and _seconds are in those
// units; counters run from boot. What is not known is 0, false or empty, and a
// list is never null.
type Report struct {
	Time          time.Time   `json:"time"`           // wall clock, RFC 3339, UTC
	UptimeSeconds float64     `json:"uptime_seconds"` // since the program started, monotonic
	Hostname      string      `json:"hostname"`
	Machine       Machine     `json:"machine"`
	Software      Software    `json:"software"`
	Memory        Memory      `json:"memory"`
	Runtime       Runtime     `json:"runtime"`
	Interrupts    []Interrupt `json:"interrupts"` // by line number
	Interfaces    []Interface `json:"interfaces"` // by index
	Routes        []Route     `json:"routes"`     // the longest prefix first, as they are tried
	Sockets       []Socket    `json:"sockets"`    // the newest first
}

// Machine is what the program runs on.
type Machine struct {
	Board   string `json:"board"`   // name of the board package, "process" on an ordinary OS
	CPU     string `json:"cpu"`     // model, as the processor names itself
	CPUs    int    `json:"cpus"`    // processors that run goroutines
	System  string `json:"system"`  // GOOS/GOARCH
	Cmdline string `json:"cmdline"` // kernel command line
}

// Software is what the program is made of.
type Software struct {
	Go       string `json:"go"`       // release of the Go toolchain
	Tamanet  string `json:"tamanet"`  // version of the tamanet module, "(devel)" in its own tree
	Revision string `json:"revision"` // first digits of the main module's commit, with "+" when changed since
}

// Memory is where the RAM goes.
type Memory struct {
	RAMBytes    uint64 `json:"ram_bytes"`    // found at boot
	UsableBytes uint64 `json:"usable_bytes"` // of RAM, given to the Go runtime
	UsedBytes   uint64 `json:"used_bytes"`   // of usable, held by the Go runtime
	HeapBytes   uint64 `json:"heap_bytes"`   // of used, heap objects, dead ones not yet swept included
	StackBytes  uint64 `json:"stack_bytes"`  // of used, goroutine stacks
}

// Runtime is what the Go scheduler and the garbage collector have to do.
type Runtime struct {
	Goroutines     int     `json:"goroutines"`
	GCs            uint64  `json:"gcs"`              // collections completed
	GCPauseSeconds float64 `json:"gc_pause_seconds"` // sum of the pauses of all collections
}

// Interrupt is an interrupt line.
type Interrupt struct {
	Line  int    `json:"line"`  // as the machine counts them
	Name  string `json:"name"`  // who uses it
	Count uint64 `json:"count"` // times raised
	// PerCPU is how often each processor took it, empty where that is not counted.
	PerCPU []uint64 `json:"per_cpu"`
}

// Interface is a network interface.
type Interface struct {
	Index     int      `json:"index"`
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	MTU       int      `json:"mtu_bytes"` // of an IP packet
	Up        bool     `json:"up"`        // and, where there is a device, its link as well
	Addresses []string `json:"addresses"` // with prefix lengths
	Counters  Counters `json:"counters"`
	Device    *Device  `json:"device"` // null where no hardware carries the interface
}

// Counters are what the network stack counts of an interface.
type Counters struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxErrors  uint64 `json:"rx_errors"`  // packets with a broken transport header
	RxUnknown uint64 `json:"rx_unknown"` // packets of a protocol that nothing speaks
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxDropped uint64 `json:"tx_dropped"` // packets for which the device had no room
}

// Device is the hardware behind an interface.
type Device struct {
	Name       string            `json:"name"` // driver and place
	Mbps       int               `json:"link_mbps"`
	FullDuplex bool              `json:"full_duplex"`
	Counters   map[string]uint64 `json:"counters"` // of the driver and its rings; keys and meaning: package nic, Stats
	// Queues are the same counters of each pair of queues, empty where the device does not count by pair.
	Queues []map[string]uint64 `json:"queues"`
}

// Route says where packets to a destination go.
type Route struct {
	Destination string `json:"destination"` // prefix, 0.0.0.0/0 or ::/0 for the default
	Gateway     string `json:"gateway"`     // empty when the destination is on the link
	Interface   string `json:"interface"`
}

// Socket is an open socket, as ss lists it.
type Socket struct {
	Protocol string `json:"protocol"`     // lower case: "tcp", "udp"
	State    string `json:"state"`        // ss's word: LISTEN, ESTAB, UNCONN, …
	RecvQ    uint64 `json:"recv_q_bytes"` // received and not yet read
	SendQ    uint64 `json:"send_q_bytes"` // sent and not yet acknowledged
	Local    string `json:"local"`        // address:port
	Peer     string `json:"peer"`         // address:port, empty when not connected
}
