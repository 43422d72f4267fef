// Load puts load on a cluster, and says what came through:
//
//	go run .                                         in one terminal
//	go run ./load -clients 10000 -rooms 100 -rate 500    in another
//
// A process has as many clients as it may have open files; more clients come from more processes, or machines.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/example/cluster/wire"
)

var (
	nodes    = flag.String("nodes", "http://127.0.0.1:8080,http://127.0.0.1:8081,http://127.0.0.1:8082", "`URLs` of the nodes")
	clients  = flag.Int("clients", 1000, "`number` of clients")
	rooms    = flag.Int("rooms", 10, "`number` of rooms that they are in")
	rate     = flag.Int("rate", 100, "`remarks` a second, in all rooms together")
	duration = flag.Duration("for", 10*time.Second, "how long")
	pid      = flag.Int("pid", 0, "`process` of the nodes, of which the CPU time is told (Linux)")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	run := "load-" + strconv.FormatInt(time.Now().UnixMilli(), 36) // so that the rooms are new
	members := make([]*member, *clients)
	begin := time.Now()
	connect(members, run)
	log.Printf("%d clients connected in %.1f s", *clients, time.Since(begin).Seconds())

	var reading sync.WaitGroup
	for _, m := range members {
		reading.Go(m.read)
	}
	begin, before := time.Now(), cpuTime()
	said := speak(members, run)
	settle(members, said)
	took, used := time.Since(begin), cpuTime()-before
	for _, m := range members {
		m.conn.CloseNow()
	}
	reading.Wait()
	report(members, said, took, used)
}

// A member is a client in a room. It does not come back: what is lost counts as lost.
type member struct {
	conn  *websocket.Conn
	room  int
	heard atomic.Int64 // remarks
	last  uint64       // the sequence number of the last
	bad   int          // remarks that came again, or late
	delay []time.Duration
	err   error // why it was closed
}

// connect connects the members, some at a time.
func connect(members []*member, run string) {
	urls := strings.Split(*nodes, ",")
	var dialing sync.WaitGroup
	places := make(chan struct{}, 64)
	for i := range members {
		places <- struct{}{}
		dialing.Go(func() {
			defer func() { <-places }()
			room := i % *rooms
			url := fmt.Sprintf("%s/r/%s-%d/ws?name=Client%d", urls[i / *rooms % len(urls)], run, room, i)
			conn, err := join(url)
			if err != nil {
				log.Fatal(err)
			}
			members[i] = &member{conn: conn, room: room}
		})
	}
	dialing.Wait()
}

// join returns when the client is a member. A node may say that it should come later.
func join(url string) (*websocket.Conn, error) {
	for attempt := 0; ; attempt++ {
		conn, response, err := websocket.Dial(context.Background(), url, &websocket.DialOptions{KeepAlive: -1})
		for err == nil {
			var p []byte
			if _, p, err = conn.Read(context.Background()); bytes.HasPrefix(p, []byte(`{"type":"welcome"`)) {
				return conn, nil
			}
		}
		later := websocket.CloseStatus(err) == websocket.StatusTryAgainLater || response != nil && response.StatusCode == http.StatusServiceUnavailable
		if !later || attempt == 20 {
			return nil, err
		}
		<-time.After(500 * time.Millisecond)
	}
}

// speak has the members say something, and returns how much was said in each room.
func speak(members []*member, run string) []int64 {
	said := make([]int64, *rooms)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	begin := time.Now()
	for n := 0; ; <-ticker.C {
		passed := min(time.Since(begin), *duration)
		for ; n < int(passed.Seconds()*float64(*rate)); n++ {
			m := members[n%len(members)]
			text := strconv.FormatInt(time.Now().UnixNano(), 10)
			p, _ := json.Marshal(wire.Request{Type: "say", Text: text, Tag: fmt.Sprintf("%s-%d", run, n)})
			if m.conn.Write(context.Background(), websocket.MessageText, p) == nil {
				said[m.room]++
			}
		}
		if passed == *duration {
			return said
		}
	}
}

// settle waits until all have heard all, or nothing is heard any more.
func settle(members []*member, said []int64) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for last, quiet := int64(-1), 0; quiet < 600; quiet++ {
		<-ticker.C
		heard, missing := int64(0), int64(0)
		for _, m := range members {
			h := m.heard.Load()
			heard += h
			missing += said[m.room] - h
		}
		if missing == 0 {
			return
		}
		if heard != last {
			last, quiet = heard, 0
		}
	}
}

// read counts what a member hears. It reads the JSON as it is written, without decoding it.
func (m *member) read() {
	for message, err := range m.conn.Messages(context.Background()) {
		if err != nil {
			m.err = err
			return
		}
		text, isSaid := bytes.CutPrefix(message.Data, []byte(`{"type":"said","seq":`))
		if !isSaid {
			continue
		}
		number, rest, _ := bytes.Cut(text, []byte(","))
		seq, _ := strconv.ParseUint(string(number), 10, 64)
		if seq <= m.last {
			m.bad++
		}
		m.last = seq
		if _, rest, found := bytes.Cut(rest, []byte(`"text":"`)); found {
			at, _, _ := bytes.Cut(rest, []byte(`"`))
			nanoseconds, _ := strconv.ParseInt(string(at), 10, 64)
			m.delay = append(m.delay, time.Since(time.Unix(0, nanoseconds)))
		}
		m.heard.Add(1)
	}
}

// cpuTime returns the CPU time that the nodes have used, user and system.
func cpuTime() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", *pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third on
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// report prints a row of a table.
func report(members []*member, said []int64, took, used time.Duration) {
	var delays []time.Duration
	heard, missing, bad, slow := int64(0), int64(0), 0, 0
	for _, m := range members {
		h := m.heard.Load()
		heard += h
		missing += said[m.room] - h
		bad += m.bad
		delays = append(delays, m.delay...)
		if e := new(websocket.CloseError); errors.As(m.err, e) && e.Code == websocket.StatusTryAgainLater {
			slow++
		}
	}
	slices.Sort(delays)
	at := func(share float64) time.Duration {
		if len(delays) == 0 {
			return 0
		}
		return delays[int(share*float64(len(delays)-1))].Round(time.Millisecond)
	}
	fmt.Println("| clients | rooms | remarks/s | deliveries/s | CPU of the nodes, each | median | 99 % | slowest | missing | twice or late | closed as slow |")
	fmt.Println("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	fmt.Printf("| %d | %d | %d | %.0f | %.1f µs | %v | %v | %v | %d | %d | %d |\n", len(members), *rooms, *rate,
		float64(heard)/took.Seconds(), used.Seconds()*1e6/float64(max(heard, 1)), at(0.5), at(0.99), at(1), missing, bad, slow)
}
