// Package usbarmory is the board package of the USB armory Mk II. A kernel that imports it
// boots there, and on QEMU's machine mcimx6ul-evk.
//
// The network is ENET2 with a DP83825I on the LAN model, and on the others a CDC-ECM gadget on
// the USB plug. The console is UART2: of the LAN model on test pads, of the others on the debug
// accessory at the receptacle. QEMU has it on UART1, and plays the LAN model, with another PHY. Not used: the
// memory card and eMMC, the secure elements, Bluetooth, the LEDs.
//
// References: usbarmory/usbarmory wiki, Mk II; board/usbarmory/mk2 of github.com/usbarmory/tamago.
package usbarmory
