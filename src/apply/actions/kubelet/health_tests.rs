//! Servers that answer, refuse, drip, stay silent and speak something else.

use std::net::TcpListener;

use super::super::super::testing::Stubs;
use super::*;

/// A server that does this with every connection.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address(listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    address
}

fn says(text: &'static str) -> Health {
    serve(move |mut stream| {
        let mut request = [0; 200];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(text.as_bytes());
    })
    .ask()
}

fn words(health: Health) -> String {
    match health {
        Health::Good => "good".to_owned(),
        // The port is another one each time.
        Health::Bad(why) => why.split_once("/healthz ").unwrap().1.to_owned(),
    }
}

#[test]
fn only_200_is_good() {
    assert_eq!(says("HTTP/1.0 200 OK\r\n\r\nok"), Health::Good);
    assert_eq!(says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Health::Good);
    assert_eq!(words(says("HTTP/1.1 500 Internal Server Error\r\n\r\n")), "says 500");
    assert_eq!(words(says("HTTP/1.1 404 Not Found\r\n\r\n")), "says 404");
    for other in ["", "HTTP/1.1 20", "HTTP/2 200 OK\r\n", "ok 200 200 200", "SSH-2.0-OpenSSH_9.2"] {
        assert_eq!(words(says(other)), "does not answer: this is no HTTP", "{other}");
    }
}

#[test]
fn nobody_there_is_bad_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address(listener.local_addr().unwrap());
    drop(listener);
    assert!(words(address.ask()).starts_with("does not answer: Connection refused"));
}

#[test]
fn silence_and_a_drip_end_at_the_deadline() {
    let silent = serve(|stream| {
        std::thread::sleep(Duration::from_secs(20));
        drop(stream);
    });
    let dripping = serve(|mut stream| {
        for byte in b"HTTP/1.0 200" {
            let _ = stream.write_all(&[*byte]);
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    for address in [silent, dripping] {
        let started = now();
        assert!(matches!(address.ask(), Health::Bad(_)));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

/// Where a kubelet with these flags and files answers; `DIR` is their directory.
fn address(flags: &str, files: &[(&str, &str)]) -> Option<String> {
    let stubs = Stubs::new();
    stubs.write("root/proc/7/cmdline", format!("kubelet {flags} ").replace(' ', "\0"));
    for (name, text) in files {
        stubs.write(&format!("root/etc/k/{name}"), text);
    }
    let root = Root::directory(&stubs.directory().join("root")).unwrap();
    Address::of(&root, 7).map(|address| address.0.to_string())
}

#[test]
fn the_address_is_that_of_the_flags_and_the_files() {
    let default = Some("127.0.0.1:10248".to_owned());
    assert_eq!(address("", &[]), default);
    assert_eq!(address("--config=/etc/k/none", &[]), default);
    let config =
        [("c", "kind: KubeletConfiguration\nhealthzPort: 1234\nhealthzBindAddress: '::'\n")];
    assert_eq!(address("--config /etc/k/c", &config), Some("[::1]:1234".to_owned()));
    assert_eq!(
        address("--config=/etc/k/c --healthz-bind-address=0.0.0.0", &config),
        Some("127.0.0.1:1234".to_owned())
    );
    assert_eq!(
        address("--config=/etc/k/c --healthz_port 99", &config),
        Some("[::1]:99".to_owned())
    );
    let off = [("c", r#"{"healthzPort": 0}"#)];
    assert_eq!(address("--config=/etc/k/c", &off), None);
    let drop_ins = [
        ("c", "healthzPort: 0\n"),
        ("d/10.conf", "healthzPort: 5\n"),
        ("d/20.conf", "healthzPort: 6\nhealthzBindAddress: 192.0.2.1\n"),
        ("d/30.yaml", "healthzPort: 7\n"),
    ];
    assert_eq!(
        address("--config=/etc/k/c --config-dir=/etc/k/d", &drop_ins),
        Some("192.0.2.1:6".to_owned())
    );
    // What the kubelet would not take is not taken for an answer.
    assert_eq!(address("--config=/etc/k/c", &[("c", "healthzPort: 70000\n")]), default);
    assert_eq!(address("--config=/etc/k/c", &[("c", "{{{")]), default);
}
