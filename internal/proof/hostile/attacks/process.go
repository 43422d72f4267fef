package attacks

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// subjectEnv is set in the environment of the process under attack, which is this
// program again.
const subjectEnv = "HOSTILE_SUBJECT"

// An order tells the process under attack what to do; it obeys one at a time.
type order struct {
	Do       string
	Settings settings
	URL      string
	Counter  string
	Count    int
	Honest   bool // the dialled are to echo, whatever the settings
	Within   time.Duration
}

// A reply says what came of an order.
type reply struct {
	Err    string
	Addr   string
	Sample sample
	Last   sample
	Counts map[string]int
}

// subject is the process under attack, seen from outside.
type subject struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	in     *json.Encoder
	out    *json.Decoder
}

func startSubject() (*subject, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &subject{cmd: exec.Command(self)}
	s.cmd.Env = append(os.Environ(), subjectEnv+"=1")
	s.cmd.Stderr = os.Stderr
	if s.orders, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	replies, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.in, s.out = json.NewEncoder(s.orders), json.NewDecoder(bufio.NewReader(replies))
	return s, s.cmd.Start()
}

// ask gives an order and waits until it is carried out.
func (s *subject) ask(o order) (reply, error) {
	var r reply
	if err := s.in.Encode(o); err != nil {
		return r, fmt.Errorf("the process under attack takes no orders: %w", err)
	}
	if err := s.out.Decode(&r); err != nil {
		return r, fmt.Errorf("the process under attack is gone: %w", err)
	}
	if r.Err != "" {
		return r, errors.New(r.Err)
	}
	return r, nil
}

func (s *subject) stop() {
	s.orders.Close()
	s.cmd.Process.Kill()
	s.cmd.Wait()
}
