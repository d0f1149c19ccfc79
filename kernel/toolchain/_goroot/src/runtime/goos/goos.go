// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

// Package goos is what GOOS=tamago runs on. This copy is never built: the
// folder goos of the module that GOOSPKG names stands in its place, and
// package goos of github.com/usbarmory/tamago documents the contract.
package goos
