// Package board is the machine that the standard library's tests run on: package
// user/linux of the tamago module, and the exceptions and the timer
// tick that a real machine has. They are Linux's signals here, and their
// handlers do what a board's interrupt handlers do.
package board
