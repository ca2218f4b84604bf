//! A real listener and readers that behave, misbehave, or do nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;

use super::*;

/// A listener in a thread of its own, until this is dropped.
struct Server {
    address: SocketAddr,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start(text: &'static str, until: Duration) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let (started, start) = mpsc::channel();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut served = Served::new(address);
                served.show(text.into(), until).unwrap();
                started.send(()).unwrap();
                let _ = ended.await;
            });
        });
        start.recv().unwrap();
        Self { address, end: Some(end), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // A server that refused already may have hung up; what it said is still to be read.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

const FOREVER: Duration = Duration::MAX;

#[test]
fn metrics_are_served_and_nothing_else() {
    let server = Server::start("m 1\n", FOREVER);
    let answer = server.get("/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nm 1\n"), "{answer}");
    assert!(server.get("/metrics?name=x").starts_with("HTTP/1.1 200 "));
    for path in ["/", "/metrics/", "/healthz", "/../etc/passwd", "//metrics"] {
        assert!(server.get(path).starts_with("HTTP/1.1 404 "), "{path}");
    }
    let refused = server.ask(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert!(
        refused.starts_with("HTTP/1.1 405 ") && refused.contains("allow: GET, HEAD"),
        "{refused}"
    );
    let head = server.ask(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn a_text_whose_time_is_over_is_not_served() {
    let server = Server::start("m 1\n", Duration::ZERO);
    let answer = server.get("/metrics");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(!answer.contains("m 1"), "{answer}");
}

#[test]
fn garbage_ends_its_own_connection_only() {
    let server = Server::start("m 1\n", FOREVER);
    let long = [b"GET /".as_slice(), &vec![b'a'; 100_000], b" HTTP/1.1\r\n\r\n"].concat();
    let many = [b"GET / HTTP/1.1\r\n".as_slice(), &b"a: b\r\n".repeat(5_000), b"\r\n"].concat();
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &long,
        &many,
    ] {
        let answer = server.ask(garbage);
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    server.connect().shutdown(std::net::Shutdown::Both).unwrap();
    assert!(server.get("/metrics").starts_with("HTTP/1.1 200 "));
}

/// More silent readers than there are places: they lose their places, and who asks is answered.
#[test]
fn readers_that_say_nothing_or_one_byte_at_a_time_hold_nobody_up_for_long() {
    let server = Server::start("m 1\n", FOREVER);
    let silent: Vec<TcpStream> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    let mut slow = server.connect();
    slow.write_all(b"GET /metr").unwrap();
    let trickle = std::thread::spawn(move || {
        // Until the server hangs up.
        while slow.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(server.get("/metrics").starts_with("HTTP/1.1 200 "));
    trickle.join().unwrap();
    for mut stream in silent {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn many_readers_at_once_are_all_answered() {
    let server = Server::start("m 1\n", FOREVER);
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert!(server.get("/metrics").ends_with("m 1\n")));
        }
    });
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    for address in ["0.0.0.0:9", "[::]:9", "10.0.0.1:9", "[::ffff:127.0.0.1]:9"] {
        let error = listen(address.parse().unwrap()).unwrap_err();
        assert!(matches!(error, PublishError::NotLoopback(_)), "{error}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_address_that_is_taken_is_tried_again_and_given_back_at_the_end() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut served = Served::new(address);
    let error = served.show(b"m 1\n".to_vec(), FOREVER).unwrap_err();
    assert!(matches!(error, PublishError::Listen { .. }), "{error}");
    drop(taken);
    served.show(b"m 1\n".to_vec(), FOREVER).unwrap();
    drop(served);
    // The task ends at its next turn.
    let deadline = std::time::Duration::from_secs(60);
    let free = async {
        while std::net::TcpListener::bind(address).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(deadline, free).await.unwrap();
}
