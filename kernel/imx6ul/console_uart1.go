//go:build tamago && arm && !usbarmory

package imx6ul

// nativeConsole is the serial port that is printed to on a real board. It is chosen when the kernel
// is built, since the first line may come before any package's variables are set. In QEMU it is
// always UART1, the first -serial.
const nativeConsole = uart1
