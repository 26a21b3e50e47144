//! HTTP/1.1, as much of it as `GET /metrics` takes (RFC 9112): one request a connection, then it is closed.
//!
//! Whoever asks gets numbers and can change nothing, so every user of this host may. A peer that is slow, silent or greedy costs one of
//! [`CONNECTIONS_MAX`] places for [`CONNECTION_MAX`], and no register anything.

use super::CONTENT_TYPE;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections that are answered at once; the next wait in the listener's queue.
pub const CONNECTIONS_MAX: usize = 8;

/// The longest request, its headers included.
pub const REQUEST_BYTES_MAX: usize = 4096;

/// How long a connection may take, from the first byte awaited to the last one taken.
pub const CONNECTION_MAX: Duration = Duration::from_secs(5);

/// How long accepting rests when the host has no descriptor or memory left.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// Writes all numbers as they are now.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// Answers on a Unix socket until `stop`.
pub async fn serve_unix(listener: UnixListener, render: Render, stop: CancellationToken) {
    serve(&render, &stop, CONNECTION_MAX, || async { Ok(listener.accept().await?.0) }).await;
}

/// Answers on a TCP port until `stop`.
pub async fn serve_tcp(listener: TcpListener, render: Render, stop: CancellationToken) {
    serve(&render, &stop, CONNECTION_MAX, || async { Ok(listener.accept().await?.0) }).await;
}

async fn serve<S, A>(render: &Render, stop: &CancellationToken, within: Duration, accept: impl Fn() -> A)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Future<Output = io::Result<S>>,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let next = async {
            // Fails only when the semaphore is closed, which nobody does.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        let Ok(stream) = accepted else {
            tokio::time::sleep(ACCEPT_REST).await;
            continue;
        };
        let render = Arc::clone(render);
        tokio::spawn(async move {
            // A peer that has gone, or takes too long, has nothing more coming.
            drop(tokio::time::timeout(within, answer(stream, &render)).await);
            drop(place);
        });
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, render: &Render) -> io::Result<()> {
    let mut request = Vec::with_capacity(512);
    let mut piece = [0; 1024];
    let whole = loop {
        let count = stream.read(&mut piece).await?;
        request.extend_from_slice(piece.get(..count).unwrap_or_default());
        if request.windows(4).any(|end| end == b"\r\n\r\n") {
            break true;
        }
        if count == 0 || request.len() > REQUEST_BYTES_MAX {
            break false;
        }
    };
    let response = match (whole, request.len() > REQUEST_BYTES_MAX) {
        (_, true) => refusal("431 Request Header Fields Too Large", "The request is too long.", ""),
        (false, false) => refusal("400 Bad Request", "The request ends too early.", ""),
        (true, false) => respond(&request, render),
    };
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// The answer to a whole request: only its first line counts.
fn respond(request: &[u8], render: &Render) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let sound = version.is_some_and(|version| version.starts_with("HTTP/1.")) && words.next().is_none();
    let path = target.unwrap_or_default().split('?').next().unwrap_or_default();
    match (method.filter(|_| sound), path) {
        (None, _) => refusal("400 Bad Request", "This is no request of HTTP/1.1.", ""),
        (Some("GET" | "HEAD"), "/metrics") => {
            let body = render();
            let head = head("200 OK", CONTENT_TYPE, body.len(), "");
            if method == Some("HEAD") { head } else { head + &body }
        }
        (Some(_), "/metrics") => {
            refusal("405 Method Not Allowed", "There is only GET here.", "Allow: GET, HEAD\r\n")
        }
        (Some(_), _) => refusal("404 Not Found", "The numbers are at /metrics.", ""),
    }
}

fn refusal(status: &str, why: &str, more: &str) -> String {
    let body = format!("{why}\n");
    head(status, "text/plain; charset=utf-8", body.len(), more) + &body
}

fn head(status: &str, kind: &str, bytes: usize, more: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\nCache-Control: no-store\r\n{more}Connection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    fn status(request: &[u8]) -> String {
        let render: Render = Arc::new(|| "a 1\n".to_owned());
        respond(request, &render).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn one_thing_can_be_asked_and_everything_else_has_its_number() {
        assert_eq!(status(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 OK");
        assert_eq!(status(b"GET /metrics?a=b HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK");
        assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
        assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
        for bad in
            [&b"\r\n\r\n"[..], b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/2 x\r\n\r\n", b"\xff\r\n\r\n"]
        {
            assert_eq!(status(bad), "HTTP/1.1 400 Bad Request");
        }
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_is_let_go_and_one_that_says_too_much_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        let stop = CancellationToken::new();
        let listener = UnixListener::bind(&path).unwrap();
        let (render, within): (Render, _) = (Arc::new(String::new), Duration::from_millis(50));
        let stopped = stop.clone();
        let serving = tokio::spawn(async move {
            serve(&render, &stopped, within, || async { Ok(listener.accept().await?.0) }).await;
        });
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            silent.push(UnixStream::connect(&path).await.unwrap());
        }
        // No place is free until they are let go.
        let mut greedy = UnixStream::connect(&path).await.unwrap();
        greedy.write_all(&[b'a'; REQUEST_BYTES_MAX + 1]).await.unwrap();
        let mut answer = String::new();
        greedy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        for mut silent in silent {
            assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
        }
        stop.cancel();
        serving.await.unwrap();
    }
}
