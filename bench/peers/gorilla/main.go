// A subset of the base protocol (welcome, enter_room, text) on Go with gorilla/websocket: two goroutines
// per connection, as in that library's chat example, and each event prepared once for all receivers.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"
)

// A client with so many queued messages is closed, as in the chat example.
const queueLength = 4096

type user struct {
	ID   uint64 `json:"id"`
	Name string `json:"name"`
}

type request struct {
	Type   string      `json:"type"`
	RoomID json.Number `json:"roomId"`
	Text   string      `json:"text"`
}

type userEvent struct {
	Type string `json:"type"`
	User user   `json:"user"`
}

type textEvent struct {
	Type string `json:"type"`
	Text string `json:"text"`
	From user   `json:"from"`
}

type client struct {
	user user
	conn *websocket.Conn
	room *room
	send chan *websocket.PreparedMessage
	done chan struct{}
}

// The lock of a room gives all its members the same order.
type room struct {
	mutex   sync.Mutex
	members map[*client]struct{}
}

var (
	lastID   atomic.Uint64
	rooms    sync.Map // uint64 → *room
	upgrader = websocket.Upgrader{
		CheckOrigin: func(*http.Request) bool { return true },
	}
)

func main() {
	port := flag.Int("port", 8776, "the port to listen on")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, http.HandlerFunc(serve)))
}

func serve(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	id := lastID.Add(1)
	c := &client{
		user: user{ID: id, Name: fmt.Sprintf("User %d", id)},
		conn: conn,
		send: make(chan *websocket.PreparedMessage, queueLength),
		done: make(chan struct{}),
	}
	c.send <- prepare(userEvent{"welcome", c.user})
	go c.write()
	c.read()
}

func (c *client) read() {
	defer func() {
		c.leave()
		close(c.done)
		c.conn.Close()
	}()
	for {
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		var r request
		if json.Unmarshal(data, &r) != nil {
			continue
		}
		switch r.Type {
		case "enter_room":
			if id, err := strconv.ParseUint(r.RoomID.String(), 10, 64); err == nil {
				c.enter(id)
			}
		case "text":
			if c.room != nil {
				c.room.tell(textEvent{"text", r.Text, c.user})
			}
		}
	}
}

func (c *client) write() {
	for {
		select {
		case message := <-c.send:
			if c.conn.WritePreparedMessage(message) != nil {
				c.conn.Close()
				return
			}
		case <-c.done:
			return
		}
	}
}

func (c *client) enter(id uint64) {
	c.leave()
	found, _ := rooms.LoadOrStore(id, &room{members: map[*client]struct{}{}})
	c.room = found.(*room)
	c.room.mutex.Lock()
	c.room.members[c] = struct{}{}
	c.room.mutex.Unlock()
	c.room.tell(userEvent{"enter_room", c.user})
}

func (c *client) leave() {
	if c.room == nil {
		return
	}
	c.room.mutex.Lock()
	delete(c.room.members, c)
	c.room.mutex.Unlock()
	c.room = nil
}

func (r *room) tell(event any) {
	message := prepare(event)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for member := range r.members {
		select {
		case member.send <- message:
		default:
			member.conn.Close()
		}
	}
}

func prepare(event any) *websocket.PreparedMessage {
	data, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	message, err := websocket.NewPreparedMessage(websocket.TextMessage, data)
	if err != nil {
		panic(err)
	}
	return message
}
