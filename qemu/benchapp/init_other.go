//go:build !linux

package main

// boot has nothing to do: package tamanet has brought the machine up.
func boot() {}
