// Package mx6ullevk is the board package of NXP's MCIMX6ULL-EVK, and of QEMU's machine
// mcimx6ul-evk. A kernel that imports it boots there.
//
// The network is ENET1, on the base board's connector of that name, with a KSZ8081 at address 2. The
// console is UART1, the board's USB debug port. Not used: ENET2, USB, the memory cards.
//
// Reference: MCIMX6ULL-EVK board hardware user's guide; QEMU 7.2, hw/arm/mcimx6ul-evk.c.
package mx6ullevk
