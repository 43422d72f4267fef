package http3

// Waiting returns how many Dials wait for a connection that is being opened.
func Waiting(d *Dialer) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hosts {
		if h.dialling != nil {
			n += h.dialling.waiting
		}
	}
	return n
}
