// Package tamanet makes an appliance of a Go program that imports it:
//
//	import _ "github.com/tamanet/tamanet"
//
// Built for GOOS=tamago, the program is then a kernel for the board that it is
// built for, and boots with package net at work: net.Listen, net/http and the rest
// run on tamanet's own drivers and sockets. The network is up when main and the init
// functions of packages that import this one begin. Its addresses come from the kernel
// command line (ip=, gw=, dns=, hostname=, see package kernel/boot), or else
// from the board.
//
// On an ordinary operating system the import does nothing, and the program is
// an ordinary one.
//
// The board is chosen when the program is built, by its name as a build tag: on amd64 it is board/q35
// with the tag q35, and board/microvm without.
package tamanet
