//go:build tamago && arm && usbarmory

package imx6ul

// nativeConsole: the USB armory's is UART2.
const nativeConsole = uart2
