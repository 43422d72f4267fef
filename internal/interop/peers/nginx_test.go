package peers

import (
	"os/exec"
	"syscall"
)

const nginx = "/usr/sbin/nginx"

var nginxKind = proxyKind{
	name: "nginx",
	command: func(config string) *exec.Cmd {
		return exec.Command(nginx, "-e", "stderr", "-c", config)
	},
	up:        "start worker process ",
	reload:    syscall.SIGHUP,
	reloading: "reconfiguring",
	config: `
daemon off;
user www-data;
pid DIR/pid;
error_log stderr notice;
worker_processes 1;
worker_shutdown_timeout DRAIN;
events {}
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen ADDR;
		location / {
			proxy_pass http://TARGET;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection upgrade;
			proxy_set_header Host $http_host;
			proxy_read_timeout SILENCE;
			proxy_send_timeout SILENCE;
		}
	}
}
`,
}
