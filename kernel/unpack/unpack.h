// What the code of this package and those who copy it agree on.

// SCRATCH_SIZE is the memory that inflate works in.
#define SCRATCH_SIZE 37552

// INFLATE_SLACK is how far behind the end of its output inflate may write.
#define INFLATE_SLACK 16384

// The stub is loaded behind the memory of the kernel that it unpacks, on a page boundary, its base. Offsets from
// that of what is loaded with it, in front of its code: the null descriptor, one for 64-bit code, one for data, one for
// 32-bit code; what LGDT takes; address, size and sum of the payload, 8 bytes each; the line that is printed when they
// do not fit, with a 0 behind it. CODE is where it is entered; the first instruction there is not the stub's own:
// it has BP be the base.
#define GDT 0
#define GDTR 0x20
#define PAYLOAD 0x30
#define PAYLOAD_SIZE 0x38
#define PAYLOAD_SUM 0x40
#define START_INFO 0x48		// kept here meanwhile
#define MESSAGE 0x80
#define CODE 0x100

// ROOM is how much memory from the base on the stub needs.
#define ROOM 0x10000

// Offsets in the payload: where the kernel goes, its size in the image and with the memory that begins as zeros, its
// entry point, where in memory its code begins and ends, and the stream that inflate makes the kernel of. All but the
// stream are 8 bytes.
#define OUT 0
#define OUT_SIZE 8
#define OUT_MEMORY 16
#define ENTRY 24
#define STREAM_SIZE 32
#define CODE_START 40
#define CODE_END 48
#define STREAM 56

// SUM_FACTOR and SUM_ROTATE make the sum: for each 8 bytes, XOR, multiply, rotate to the left.
#define SUM_FACTOR 0x9e3779b97f4a7c15
#define SUM_ROTATE 29
