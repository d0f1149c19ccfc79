package clock

// Registers of the MC146818 real-time clock and its successors. The century has
// no standard place; 0x32 is where PCs and QEMU keep it.
const (
	rtcSeconds = 0x00
	rtcMinutes = 0x02
	rtcHours   = 0x04
	rtcDay     = 0x07
	rtcMonth   = 0x08
	rtcYear    = 0x09
	rtcStatusA = 0x0a
	rtcStatusB = 0x0b
	rtcCentury = 0x32

	statusAUIP    = 0x80 // an update is in progress
	statusB24h    = 0x02
	statusBBinary = 0x04

	hoursPM = 0x80
)

const (
	rtcReads = 10 // attempts at two equal readings

	// An update takes 2 ms at most, a register read half a microsecond at least.
	rtcPolls = 10_000
)

// rtcTime is one reading of the clock's registers.
type rtcTime struct {
	sec, min, hour, day, month, year, century uint8
}

// ReadRTC returns the time that a real-time clock of a PC shows, in
// seconds since 1970 UTC, and whether there is a clock that shows a valid time. read
// returns one of its registers. The clock is taken to run in UTC, and a reading
// only counts when it was made twice outside of an update. It waits for 2 ms at most.
func ReadRTC(read func(reg uint8) uint8) (unix int64, ok bool) {
	for range rtcReads {
		a, okA := readRegisters(read)
		b, okB := readRegisters(read)
		if !okA || !okB {
			return 0, false
		}
		if a == b {
			return a.unix(read(rtcStatusB))
		}
	}
	return 0, false
}

// readRegisters reads the date and time once no update is in progress.
func readRegisters(read func(reg uint8) uint8) (t rtcTime, ok bool) {
	polls := rtcPolls
	for read(rtcStatusA)&statusAUIP != 0 {
		if polls--; polls == 0 {
			return t, false
		}
	}

	t.sec = read(rtcSeconds)
	t.min = read(rtcMinutes)
	t.hour = read(rtcHours)
	t.day = read(rtcDay)
	t.month = read(rtcMonth)
	t.year = read(rtcYear)
	t.century = read(rtcCentury)
	return t, true
}

// unix returns the reading as seconds since 1970, and whether it is a date.
func (t rtcTime) unix(statusB uint8) (int64, bool) {
	pm := t.hour & hoursPM
	t.hour &^= hoursPM

	if statusB&statusBBinary == 0 {
		for _, v := range [...]*uint8{&t.sec, &t.min, &t.hour, &t.day, &t.month, &t.year, &t.century} {
			*v = *v>>4*10 + *v&15
		}
	}
	if statusB&statusB24h == 0 {
		t.hour %= 12 // 12 is the hour before 1
		if pm != 0 {
			t.hour += 12
		}
	}

	// Many clocks keep no century.
	if t.century < 20 || t.century > 21 {
		t.century = 20
	}

	if t.sec > 59 || t.min > 59 || t.hour > 23 || t.year > 99 || t.month < 1 || t.month > 12 ||
		t.day < 1 || t.day > 31 {
		return 0, false
	}

	days := daysSince1970(int64(t.century)*100+int64(t.year), int64(t.month), int64(t.day))
	return ((days*24+int64(t.hour))*60+int64(t.min))*60 + int64(t.sec), true
}

// daysSince1970 counts the days from 1970-01-01 to a date of the Gregorian
// calendar. Years begin in March, so that the leap day is a year's last, and months
// have 30.6 days on the average. Package time would do, but it cannot be relied on
// before the runtime has initialised it.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	leapDays := year/4 - year/100 + year/400
	return year*365 + leapDays + (153*(month-3)+2)/5 + day - 1 - 719468
}
