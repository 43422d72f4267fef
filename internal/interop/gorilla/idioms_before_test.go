package gorilla

import (
	"net/http"
	"sync"
	"time"

	websocket "github.com/closeonce/websocket/gorilla"
)

// What follows is MIGRATING.md's code for programs as they were written for gorilla/websocket.

const (
	pongWait   = 60 * time.Second
	pingPeriod = 54 * time.Second
	writeWait  = 10 * time.Second
)

type client struct {
	conn *websocket.Conn
	send chan []byte
	mu   sync.Mutex
}

type hub struct {
	broadcast            chan []byte
	register, unregister chan *client
	clients              map[*client]bool
}

func beforeHub(h *hub) {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
		case c := <-h.unregister:
			if h.clients[c] {
				delete(h.clients, c)
				close(c.send)
			}
		case message := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.send <- message:
				default: // it is too slow
					delete(h.clients, c)
					close(c.send)
				}
			}
		}
	}
}

func beforePump(c *client) {
	ticker := time.NewTicker(pingPeriod)
	defer ticker.Stop()
	defer c.conn.Close()
	for {
		select {
		case message, ok := <-c.send:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if !ok {
				c.conn.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			if err := c.conn.WriteMessage(websocket.TextMessage, message); err != nil {
				return
			}
		case <-ticker.C:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if err := c.conn.WriteMessage(websocket.PingMessage, nil); err != nil {
				return
			}
		}
	}
}

func beforeAlive(c *client, handle func([]byte)) {
	c.conn.SetReadDeadline(time.Now().Add(pongWait))
	c.conn.SetPongHandler(func(string) error {
		c.conn.SetReadDeadline(time.Now().Add(pongWait))
		return nil
	})
	for {
		_, message, err := c.conn.ReadMessage()
		if err != nil {
			if websocket.IsUnexpectedCloseError(err, websocket.CloseGoingAway, websocket.CloseNormalClosure) {
				logf("lost: %v", err)
			}
			return
		}
		handle(message)
	}
}

func beforeMutex(c *client, message []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.WriteMessage(websocket.TextMessage, message)
}

func beforeDeadline(conn *websocket.Conn) ([]byte, error) {
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, answer, err := conn.ReadMessage() // after a time-out the connection is lost
	return answer, err
}

func beforeClose(conn *websocket.Conn) {
	conn.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, "done"), time.Now().Add(time.Second))
	conn.Close()
}

var upgrader = websocket.Upgrader{AutoControl: true}

func beforeBoth(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	serveModern(r.Context(), conn.Modern()) // new code gets the new kind
}

var _, _, _, _, _, _, _ = beforeHub, beforePump, beforeAlive, beforeMutex, beforeDeadline, beforeClose, beforeBoth
