package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// profile is a profile under way in the process under test.
type profile struct {
	cpu        bytes.Buffer
	contention bool
}

// start begins a CPU profile ("cpu"), or a mutex and a block profile ("contention").
func (p *profile) start(what string) error {
	switch what {
	case "cpu":
		p.cpu.Reset()
		return pprof.StartCPUProfile(&p.cpu)
	case "contention":
		p.contention = true
		runtime.SetMutexProfileFraction(1)
		runtime.SetBlockProfileRate(1)
		return nil
	}
	return fmt.Errorf("no profile %q", what)
}

// stop ends it and writes what it found to files whose names begin with path.
func (p *profile) stop(path string) error {
	if !p.contention {
		pprof.StopCPUProfile()
		return os.WriteFile(path+".cpu.prof", p.cpu.Bytes(), 0o644)
	}
	p.contention = false
	runtime.SetMutexProfileFraction(0)
	runtime.SetBlockProfileRate(0)
	return errors.Join(write("mutex", path), write("block", path))
}

func write(name, path string) error {
	var b bytes.Buffer
	if err := pprof.Lookup(name).WriteTo(&b, 0); err != nil {
		return err
	}
	return os.WriteFile(path+"."+name+".prof", b.Bytes(), 0o644)
}
