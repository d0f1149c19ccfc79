package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
)

// QMP is a connection to the monitor of a machine (QEMU docs/interop/qmp-spec.rst). It is not safe for concurrent use.
type QMP struct {
	conn net.Conn
	dec  *json.Decoder
}

// QMPArgs returns the arguments of QEMU, for Config.More, that have it listen for a DialQMP on a Unix-domain socket.
func QMPArgs(path string) []string {
	return []string{"-qmp", "unix:" + optionValue(path) + ",server=on,wait=off"}
}

// DialQMP connects to a running machine. Every exchange on the connection ends with ctx.
func DialQMP(ctx context.Context, path string) (*QMP, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("qemu: monitor: %w", err)
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	q := &QMP{conn: conn, dec: json.NewDecoder(conn)}
	var greeting struct{ QMP json.RawMessage }
	if err := q.dec.Decode(&greeting); err != nil || greeting.QMP == nil {
		q.Close()
		return nil, fmt.Errorf("qemu: monitor %s does not greet: %v", path, err)
	}
	if err := q.Execute("qmp_capabilities", nil, nil); err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

// Execute has QEMU execute a command. args may be nil, and so may result, which is decoded into. Events are left out.
func (q *QMP) Execute(command string, args, result any) error {
	request := struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, args}
	if err := json.NewEncoder(q.conn).Encode(request); err != nil {
		return fmt.Errorf("qemu: monitor: %s: %w", command, err)
	}
	for {
		var reply struct {
			Return json.RawMessage
			Error  *struct{ Class, Desc string }
		}
		if err := q.dec.Decode(&reply); err != nil {
			return fmt.Errorf("qemu: monitor: %s: %w", command, err)
		}
		switch {
		case reply.Error != nil:
			return fmt.Errorf("qemu: monitor: %s: %s: %s", command, reply.Error.Class, reply.Error.Desc)
		case reply.Return == nil: // an event
		case result == nil:
			return nil
		default:
			return json.Unmarshal(reply.Return, result)
		}
	}
}

// Instructions returns how many instructions the guest has executed since its start. The machine must run with
// CountInstructions.
func (q *QMP) Instructions() (int64, error) {
	var r struct{ Icount int64 }
	err := q.Execute("query-replay", nil, &r)
	return r.Icount, err
}

// CountInstructions returns the arguments of QEMU, for Config.More, that have it count the instructions of the guest.
// One takes one nanosecond of the guest's time. It is the counter of record and replay that is asked for; the record
// itself is not kept.
func CountInstructions() []string {
	return []string{"-icount", "shift=0,rr=record,rrfile=/dev/null"}
}

// Close ends the connection.
func (q *QMP) Close() error { return q.conn.Close() }
