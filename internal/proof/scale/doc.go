// Package scale shows what groups, Shutdown and keepalive do with very many connections over real sockets. The server is the
// test's process; its clients are another one (crowd_test.go), since a process may not open as many descriptors as both need.
//
// Without flags the tests are small, and hold what must be so at any size. With flags they are as large as one likes, and print
// figures besides. No figure is asserted that depends on how busy the machine is.
//
//	go test ./internal/proof/scale -v -run Shutdown -conns 10000                   all get their Close; how long that takes
//	go test ./internal/proof/scale -v -run Stalled -conns 1000 -for 10s            deliveries beside members that stall, and memory
//	go test ./internal/proof/scale -v -run Idle -conns 19000 -period 5s -for 30s   what keepalive costs
//	go test ./internal/proof/scale -v -run Join -joins 1000000                     members that come and go
//	go test ./internal/proof/scale -v -run Soak -soak 2m -race                     churn, and what is left of it
package scale
