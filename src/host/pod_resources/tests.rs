//! A real HTTP/2 server on a socket of the test, which answers, refuses, or does neither.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use prost::Message as _;
use tempfile::TempDir;

use super::*;
use message::{
    CdiDevice, ClaimResource, ContainerDevices, ContainerResources, DynamicResource, ListResponse,
};

/// What a server does with the one request it gets.
enum Answer {
    /// These bytes, and this status.
    Message(Vec<u8>, &'static str, &'static str),
    /// The message's head alone, which promises so many bytes.
    Promise(u32),
    Never,
}

/// Serves one question, and says which path was asked for.
fn serve(answer: Answer) -> (TempDir, PathBuf, std::thread::JoinHandle<String>) {
    let mut answers = vec![answer];
    serve_all(move |_| answers.pop())
}

/// Serves one connection, and says which paths were asked for. A question without an answer is left open.
fn serve_all(
    mut answer: impl FnMut(&str) -> Option<Answer> + Send + 'static,
) -> (TempDir, PathBuf, std::thread::JoinHandle<String>) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("kubelet.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (mut paths, mut kept) = (Vec::new(), Vec::new());
            // Until the other side has gone.
            while let Some(Ok((request, respond))) = connection.accept().await {
                let answer = answer(request.uri().path()).unwrap_or(Answer::Never);
                paths.push(asked(&request));
                kept.push(answer_with(answer, respond));
            }
            paths.join("\n")
        })
    });
    (directory, socket, server)
}

fn asked(request: &Request<h2::RecvStream>) -> String {
    let kind = request.headers().get("content-type").unwrap().to_str().unwrap();
    format!("{} {} {kind}", request.method(), request.uri().path())
}

/// What must be kept so that the request is not taken for given up.
fn answer_with(
    answer: Answer,
    mut respond: SendResponse<Bytes>,
) -> (SendResponse<Bytes>, Option<h2::SendStream<Bytes>>) {
    let head = || Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = None;
    match answer {
        Answer::Message(bytes, status, message) => {
            let mut body = respond.send_response(head(), false).unwrap();
            body.send_data(framed(u32::try_from(bytes.len()).unwrap(), &bytes), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            trailers.insert("grpc-message", message.parse().unwrap());
            body.send_trailers(trailers).unwrap();
        }
        Answer::Promise(length) => {
            let mut body = respond.send_response(head(), false).unwrap();
            body.send_data(framed(length, &[]), false).unwrap();
            stream = Some(body);
        }
        Answer::Never => {}
    }
    (respond, stream)
}

/// Not compressed, so many bytes.
fn framed(length: u32, bytes: &[u8]) -> Bytes {
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(bytes);
    frame.into()
}

fn pod(name: &str, containers: Vec<ContainerResources>) -> message::PodResources {
    message::PodResources { name: name.to_owned(), namespace: "ns".to_owned(), containers }
}

fn no_answer<T: std::fmt::Debug>(reading: Reading<T>) -> String {
    match reading {
        Reading::Unreadable(Cause::NoAnswer(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pods_that_hold_devices_are_listed() {
    let devices = ContainerDevices {
        resource: "nvidia.com/pgpu".to_owned(),
        ids: vec!["0".to_owned(), "1".to_owned()],
    };
    let claim = ClaimResource {
        cdi: vec![CdiDevice { name: "k8s.gpu.nvidia.com/claim=x".to_owned() }],
        driver: "gpu.nvidia.com".to_owned(),
        device: "gpu-0".to_owned(),
    };
    let dynamic = DynamicResource { claims: vec![claim] };
    let response = ListResponse {
        pods: vec![
            pod("plain", vec![ContainerResources::default()]),
            pod("gpu", vec![ContainerResources { devices: vec![devices], dynamic: vec![dynamic] }]),
        ],
    };
    let (_keep, socket, server) = serve(Answer::Message(response.encode_to_vec(), "0", ""));
    let device = |resource: &str, ids: &[&str]| Device {
        resource: resource.to_owned(),
        ids: ids.iter().map(|&id| id.to_owned()).collect(),
    };
    assert_eq!(
        list(&socket),
        Reading::Known(vec![Pod {
            namespace: "ns".to_owned(),
            name: "gpu".to_owned(),
            devices: vec![
                device("nvidia.com/pgpu", &["0", "1"]),
                device("gpu.nvidia.com", &["gpu-0", "k8s.gpu.nvidia.com/claim=x"]),
            ],
        }])
    );
    let path = server.join().unwrap();
    assert_eq!(path, "POST /v1.PodResourcesLister/List application/grpc");
}

/// A kubelet that tells nothing but how it takes `Get`.
fn get(status: &'static str, message: &'static str) -> Reading<PodResources> {
    let (_keep, socket, _server) = serve_all(move |path| {
        Some(match path {
            GET => Answer::Message(Vec::new(), status, message),
            LIST | OFFERED => Answer::Message(Vec::new(), "0", ""),
            other => panic!("{other}"),
        })
    });
    look(&socket)
}

#[test]
fn a_gate_is_proved_by_the_way_in_which_a_pod_that_is_not_there_is_refused() {
    for (status, message, expected) in [
        ("2", "pod ccgpu-node in namespace Nowhere not found", Get::Answered),
        ("5", "pod not found", Get::Answered),
        ("0", "", Get::Answered),
        ("2", "PodResources API Get method disabled", Get::Disabled),
        ("12", "unknown method Get for service v1.PodResourcesLister", Get::Unimplemented),
    ] {
        let Reading::Known(told) = get(status, message) else { panic!("{message}") };
        assert_eq!(told.get, expected);
    }
    // Neither proves anything.
    for (status, message) in [("8", "rejected by rate limit"), ("2", "odd"), ("13", "not found")] {
        let Reading::Known(told) = get(status, message) else { panic!("{message}") };
        assert!(matches!(told.get, Get::Unclear(words) if words.contains(message)));
    }
}

#[test]
fn what_is_offered_is_told_unless_the_kubelet_is_too_old() {
    let offered = |resource: &str, id: &str| ContainerDevices {
        resource: resource.to_owned(),
        ids: vec![id.to_owned()],
    };
    let devices = vec![offered("nvidia.com/pgpu", "12"), offered("nvidia.com/pgpu", "13")];
    let bytes = message::AllocatableResponse { devices }.encode_to_vec();
    let ask = |status: &'static str, words: &'static str, bytes: Vec<u8>| {
        let (_keep, socket, server) = serve_all(move |path| {
            Some(match path {
                OFFERED => Answer::Message(bytes.clone(), status, words),
                _ => Answer::Message(Vec::new(), "0", ""),
            })
        });
        (look(&socket), server.join().unwrap())
    };
    let (told, paths) = ask("0", "", bytes);
    let told = told.into_known().unwrap().offered.unwrap();
    assert_eq!((told.len(), told[1].resource.as_str()), (2, "nvidia.com/pgpu"));
    assert_eq!(paths.lines().count(), 3);
    for (status, words) in [("12", "unknown"), ("2", "API GetAllocatableResources disabled")] {
        let (told, _) = ask(status, words, Vec::new());
        assert_eq!(told.into_known().unwrap().offered, None);
    }
    let (told, _) = ask("8", "rejected by rate limit", Vec::new());
    assert!(no_answer(told).contains("rate limit"));
}

#[test]
fn a_kubelet_can_be_asked_from_inside_a_runtime() {
    let (_keep, socket, _server) = serve_all(|_| Some(Answer::Message(Vec::new(), "0", "")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(async { look(&socket) }).known().is_some());
}

#[test]
fn a_node_without_pods_is_known_to_have_none() {
    let (_keep, socket, _server) = serve(Answer::Message(Vec::new(), "0", ""));
    assert_eq!(list(&socket), Reading::Known(Vec::new()));
}

#[test]
fn fields_that_are_not_read_here_are_passed_over() {
    // Field 9 of the response, a text; in a pod, field 3 of a container, packed numbers.
    let bytes = b"\x4a\x03new\x0a\x0f\x0a\x01p\x12\x01n\x1a\x07\x0a\x01c\x1a\x02\x00\x01".to_vec();
    let (_keep, socket, _server) = serve(Answer::Message(bytes, "0", ""));
    assert_eq!(list(&socket), Reading::Known(Vec::new()));
}

#[test]
fn a_refusal_is_told_in_its_own_words() {
    let (_keep, socket, _server) = serve(Answer::Message(Vec::new(), "12", "unknown method List"));
    assert_eq!(
        no_answer(list(&socket)),
        "the kubelet's answer is Unimplemented: unknown method List"
    );
    let (_keep, socket, _server) = serve(Answer::Message(Vec::new(), "8", "rate limited"));
    assert_eq!(no_answer(list(&socket)), "the kubelet's answer is ResourceExhausted: rate limited");
}

#[test]
fn a_broken_message_is_no_answer() {
    let bytes = b"\x0a\xff\xff\xff\xff\x0f".to_vec();
    let (_keep, socket, _server) = serve(Answer::Message(bytes, "0", ""));
    assert!(no_answer(list(&socket)).starts_with("the kubelet's answer is Internal: "));
}

#[test]
fn a_giant_is_refused_by_its_promise() {
    let (_keep, socket, _server) = serve(Answer::Promise(u32::MAX));
    let why = no_answer(list(&socket));
    assert!(why.starts_with("the kubelet's answer is OutOfRange: "), "{why}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test looks at the clock")]
fn silence_ends_at_the_deadline() {
    let started = Instant::now();
    for answer in [Answer::Never, Answer::Promise(100)] {
        let (_keep, socket, _server) = serve(answer);
        let reading = look_within(&socket, Duration::from_secs(1), CAP);
        assert_eq!(no_answer(reading), "the kubelet gave no answer in 1 s");
    }
    // A server that does not even speak.
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("silent.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let reading = look_within(&socket, Duration::from_secs(1), CAP);
    assert_eq!(no_answer(reading), "the kubelet gave no answer in 1 s");
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn another_protocol_and_a_hang_up_are_no_answer() {
    for text in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("other.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 24]);
            let _ = stream.write_all(text.as_bytes());
        });
        assert!(!no_answer(list(&socket)).is_empty());
        server.join().unwrap();
    }
}

#[test]
fn a_socket_that_nobody_serves_is_absent() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    assert_eq!(list(&path("none/kubelet.sock")), Reading::Absent);
    drop(UnixListener::bind(path("dead.sock")).unwrap());
    assert_eq!(list(&path("dead.sock")), Reading::Absent);
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(list(&path("fifo")), Reading::Absent);
}
