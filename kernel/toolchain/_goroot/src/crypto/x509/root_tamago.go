// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package x509

// A program may put roots here; there are none to begin with.
var (
	certFiles       = []string{"/etc/ssl/certs/ca-certificates.crt"}
	certDirectories = []string{"/etc/ssl/certs"}
)
