//! The web server alone, over real sockets.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aws_mfa_exporter::{
    clock::Clock,
    exposition::{Encoding, Format},
    http::{Landing, Limits, Reload, paths::Paths},
};

use crate::{
    harness::{Server, Setting, ask_on, exposition, is_cut},
    peers::wait_until,
    support::Response,
};

#[test]
fn each_answer_says_what_it_is_and_is_not_to_be_kept() {
    let server = Server::start(Setting::default());
    for (line, status) in
        [("GET /metrics", 200), ("GET /", 200), ("GET /-/healthy", 200), ("GET /x", 404), ("POST /metrics", 405)]
    {
        let answer = server.ask(line);
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{line}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{line}");
        assert_eq!(answer.header("content-length").unwrap().parse(), Ok(answer.body.len()), "{line}");
    }
    assert_eq!(server.ask("POST /metrics").header("allow"), Some("GET, HEAD"));
    assert_eq!(server.ask("GET /metrics").header("vary"), Some("Accept, Accept-Encoding"));
    assert_eq!(server.answered("200"), 4);
}

#[test]
fn a_head_tells_the_length_of_the_get_and_sends_nothing() {
    let server = Server::start(Setting::default());
    server.publish(1_000);
    let (get, head) = (server.ask("GET /metrics"), server.ask("HEAD /metrics"));
    assert!(head.body.is_empty());
    assert_eq!(get.header("content-length"), head.header("content-length"));
}

#[test]
fn gzip_says_the_same_in_both_formats() {
    let server = Server::start(Setting::default());
    server.publish(100_000);
    for accept in ["text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"] {
        let plain = server.ask_with("GET /metrics", &format!("Accept: {accept}\r\n"));
        let packed = server.ask_with("GET /metrics", &format!("Accept: {accept}\r\nAccept-Encoding: gzip\r\n"));
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert!(packed.body.len() < 2_000 && plain.body.len() > 100_000);
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*packed.body).read_to_end(&mut text).unwrap();
        assert_eq!(text, plain.body);
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let server = Server::start(Setting::default());
    let mut stream = server.connect();
    let request = |path: &str, close: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n");
    let all = [request("/-/healthy", ""), request("/-/ready", ""), request("/nowhere", "Connection: close\r\n")];
    stream.write_all(all.concat().as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let [healthy, ready, lost] =
        ["Healthy", "Ready", "There is no page at /nowhere"].map(|word| text.find(word).unwrap());
    assert!(healthy < ready && ready < lost);
}

/// What hyper refuses by itself was not counted once.
#[test]
fn nonsense_is_refused_counted_and_harms_nobody() {
    let server = Server::start(Setting::default());
    let nonsense = ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nA: \0\r\n\r\n", "\x16\x03\x01\x02\x00\x01\r\n\r\n"];
    for bytes in nonsense {
        let mut stream = server.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        assert_eq!(Response::read(&mut stream).status, 400, "{bytes:?}");
    }
    assert_eq!(server.ask(&format!("GET /{}", "x".repeat(40_000))).status, 431);
    assert_eq!(server.ask_with("GET /", &format!("A: {}\r\n", "x".repeat(40_000))).status, 431);
    let mut unasked = server.connect();
    unasked.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    assert!(is_cut(&mut unasked));
    assert_eq!(server.ask("GET /-/healthy").status, 200);
    server.wait_until("all are counted", || server.refused("malformed") == 4 && server.refused("header_size") == 2);
    assert_eq!([server.answered("400"), server.answered("431")], [3, 2]);
}

/// A byte now and then is no request: the time runs from the first one.
#[test]
fn headers_that_never_end_are_not_waited_for() {
    let limits = Limits { headers: Duration::from_millis(400), ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
    let began = Instant::now();
    while stream.write_all(b"x").is_ok() && began.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(50));
    }
    assert!((300..2_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(server.refused("headers"), 1);
}

/// The second request on a connection has no more time than the first, and the pause
/// between them more.
#[test]
fn a_connection_may_be_idle_for_long_and_must_ask_in_one_go() {
    let limits = Limits { headers: Duration::from_millis(300), idle: Duration::from_secs(3), ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    let mut stream = server.connect();
    let mut answer = [0; 4_096];
    for _ in 0..2 {
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(stream.read(&mut answer).unwrap() > 0);
        thread::sleep(Duration::from_secs(1));
    }
    stream.write_all(b"GET /-/healthy").unwrap();
    let began = Instant::now();
    assert!(is_cut(&mut stream) && began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(server.refused("headers"), 1);
    for mut idle in [server.connect(), {
        let mut kept = server.connect();
        kept.write_all(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        kept
    }] {
        let began = Instant::now();
        assert!(is_cut(&mut idle), "for ever nobody is waited for");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert_eq!(server.refused("headers"), 1, "to be idle is no offence");
}

/// In a pause a connection is put aside; whatever came before it counts.
#[test]
fn a_request_that_began_before_a_pause_is_answered_after_it() {
    let server = Server::start(Setting::default());
    let mut stream = server.connect();
    let half = |first: &str| format!("GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n{first}");
    stream.write_all(half("GET /-/re").as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(2_500));
    stream.write_all(b"ady HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(2_500));
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let found = ["Healthy", "Ready", "padding"].map(|word| text.find(word).expect(word));
    assert!(found.is_sorted(), "{text}");
}

/// Prometheus scrapes every half minute by default, and proxies keep connections for a
/// minute: an idle one that is closed at such a moment loses a scrape.
#[test]
fn idle_connections_are_kept_for_longer_than_any_usual_interval() {
    assert_eq!(Limits::default().idle, Duration::from_secs(120));
    assert_eq!(Limits::default().headers, Duration::from_secs(5));
}

#[test]
fn a_client_that_stops_reading_is_cut_and_its_slot_freed() {
    let limits = Limits { stall: Duration::from_millis(700), scrapes: 1, ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    server.publish(64 << 20);
    let mut idle = server.connect();
    idle.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(200));
    let refused = server.ask("GET /metrics");
    assert!(refused.status == 503 && refused.text().contains("--web.max-requests"), "{refused:?}");
    assert_eq!(server.refused("scrapes"), 1);
    assert_eq!(server.ask("GET /-/healthy").status, 200, "only long answers have slots");
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(server.ask("HEAD /metrics").status, 200);
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    assert!(rest.len() < 64 << 20);
    assert_eq!(server.refused("stalled"), 1);
}

/// Somebody who takes a little now and then would never end.
#[test]
fn an_answer_has_an_end() {
    let limits = Limits { answer: Duration::from_millis(700), ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    server.publish(64 << 20);
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (began, mut part) = (Instant::now(), vec![0; 256 << 10]);
    while matches!(slow.read(&mut part), Ok(read) if read > 0) {
        assert!(began.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.refused("stalled"), 1);
}

/// Clients that read nothing take every slot; a scraper takes one of them back.
#[test]
fn who_does_not_read_keeps_no_slot_from_who_does() {
    let limits = Limits { scrapes: 4, ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    server.publish(64 << 20);
    let mut unread: Vec<_> = (0..4).map(|n| server.connect_from([127, 0, 5, n + 1].into())).collect();
    for stream in &mut unread {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    thread::sleep(Duration::from_millis(300));
    assert_eq!(server.ask("HEAD /metrics").status, 503, "they may still begin to read");
    thread::sleep(Duration::from_millis(1_000));
    let answer = server.ask("GET /metrics");
    assert_eq!(answer.header("content-length").unwrap().parse(), Ok(answer.body.len()));
    assert_eq!(server.refused("stalled"), 1);
}

/// One address has all slots but a quarter, even if it reads as fast as it can.
#[test]
fn a_quarter_of_the_slots_is_for_addresses_that_have_none() {
    let limits = Limits { scrapes: 4, ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    server.publish(64 << 20);
    let mut busy: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for stream in &mut busy {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    server.wait_until("one too many", || server.refused("address") == 1);
    let other = ask_on(&mut server.connect_from([127, 0, 6, 1].into()), "HEAD /metrics", "");
    assert_eq!(other.status, 200);
}

#[test]
fn what_is_too_old_is_not_served() {
    let server = Server::silent(Setting { max_age: Duration::from_millis(500), ..Setting::default() });
    let statuses = || ["/metrics", "/-/ready", "/-/healthy"].map(|path| server.ask(&format!("GET {path}")).status);
    assert_eq!(statuses(), [503, 503, 200], "it has only just started");
    thread::sleep(Duration::from_millis(600));
    assert_eq!(statuses(), [503, 503, 503], "an exporter that never publishes is not healthy");
    server.publish(10);
    assert_eq!(statuses(), [200, 200, 200]);
    thread::sleep(Duration::from_millis(600));
    let late = server.ask("GET /metrics");
    assert!(late.text().contains("no longer updates its snapshot") && !late.text().contains("padding"), "{late:?}");
    assert_eq!(statuses(), [503, 200, 503]);
    server.publish(10);
    assert_eq!(statuses(), [200, 200, 200]);
    assert_eq!(server.refused("unpublished"), 4);
}

/// A thousand silent clients once kept everybody else waiting for half a minute.
#[test]
fn who_asks_nothing_makes_room_for_who_does() {
    let limits = Limits { connections: 8, ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    let mut silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let began = Instant::now();
    for _ in 0..30 {
        assert_eq!(server.ask("GET /metrics").status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(is_cut(&mut silent[0]), "the oldest left");
    let stays = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        !is_cut(stream)
    };
    assert!(silent.iter_mut().skip(1).filter_map(|stream| stays(stream).then_some(())).count() > 0, "not all had to");
    // Three quarters of eight are one address's share.
    assert!(server.refused("address") >= 14, "{}", server.refused("address"));
}

/// The same with connections that have begun to ask, or have asked and are kept.
#[test]
fn who_has_begun_to_ask_or_was_answered_makes_room_too() {
    for opening in ["GET /metrics HTTP/1.1\r\nX: ", "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let limits = Limits { connections: 8, ..Limits::default() };
        let server = Server::start(Setting::limited(limits));
        let mut crowd: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for stream in &mut crowd {
            stream.write_all(opening.as_bytes()).unwrap();
        }
        server.wait_until("they are in", || server.refused("address") >= 14);
        let began = Instant::now();
        for _ in 0..30 {
            assert_eq!(server.ask("GET /metrics").status, 200);
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{opening}: {:?}", began.elapsed());
    }
}

/// A head that comes a byte at a time is left with the system until it is whole: it takes
/// none of the places of those who can be answered.
#[test]
fn who_has_not_asked_yet_takes_no_place_from_who_has() {
    let limits = Limits { conversations: 2, headers: Duration::from_secs(4), ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    let mut crowd: Vec<_> = (0..40).map(|_| server.connect()).collect();
    for byte in b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: y" {
        for stream in &mut crowd {
            stream.write_all(&[*byte]).unwrap();
        }
    }
    for _ in 0..30 {
        assert_eq!(server.ask("GET /metrics").status, 200);
    }
    assert_eq!([server.refused("address"), server.refused("crowded"), server.refused("headers")], [0; 3]);
    for stream in &mut crowd[..20] {
        stream.write_all(b"\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 4_096]).unwrap() > 0, "whole at last, it is answered");
    }
    server.wait_until("the others have had their time", || server.refused("headers") == 20);
}

/// What can never become a request is answered at once, and nobody waits for the rest of it.
#[test]
fn what_is_no_head_is_refused_at_once() {
    let server = Server::start(Setting::default());
    for nonsense in ["\x16\x03\x01\x02\x00", "GET /metrics HTTP/9", "GET /metrics HTTP/1.1\r\nHost: x\r\n:", "\0"] {
        let began = Instant::now();
        let mut stream = server.connect();
        stream.write_all(nonsense.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400"), "{nonsense:?}: {}", String::from_utf8_lossy(&answer));
        assert!(began.elapsed() < Duration::from_secs(3), "{nonsense:?}: {:?}", began.elapsed());
    }
    // The last is counted when its connection is over, which its client sees a little sooner.
    server.wait_until("they are counted", || server.refused("malformed") == 4);
}

/// Who closes before it has asked is not waited for, and nothing is counted against it.
#[test]
fn who_leaves_in_the_middle_of_a_head_is_gone_at_once() {
    let server = Server::start(Setting::default());
    let began = Instant::now();
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHo").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(server.refused("headers"), 0);
}

/// A crowd from many addresses loses its own, not the scraper that has one connection.
#[test]
fn a_kept_connection_outlives_a_crowd_of_others() {
    let limits = Limits { connections: 16, ..Limits::default() };
    let server = Server::start(Setting::limited(limits));
    let mut scraper = server.connect();
    let mut scrape = || {
        scraper.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        scraper.read(&mut [0; 4_096]).unwrap_or(0)
    };
    assert!(scrape() > 0);
    let mut crowd = Vec::new();
    for n in 0..60 {
        let mut stream = server.connect_from([127, 0, 7, 1 + n % 4].into());
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 4_096]).unwrap() > 0);
        crowd.push(stream);
    }
    // Who has to leave is counted when it has left, for which a busy machine takes a while.
    wait_until("the crowd has left", Duration::from_secs(10), || server.refused("crowded") >= 40);
    assert!(scrape() > 0, "it has waited for longer than any of them");
}

#[test]
fn a_filter_that_is_not_supported_is_not_passed_over() {
    let server = Server::start(Setting::default());
    for query in ["collect[]=root", "x=1&exclude%5B%5D=users", "name[]=aws_mfa_users", "collect[]"] {
        let refused = server.ask(&format!("GET /metrics?{query}"));
        assert!(refused.status == 400 && refused.text().contains("metric_relabel_configs"), "{query}: {refused:?}");
    }
    for query in ["x=1", "collect=root", ""] {
        assert_eq!(server.ask(&format!("GET /metrics?{query}")).status, 200, "{query}");
    }
}

/// Each page costs a drawing; asked for often, they share it.
#[test]
fn the_landing_page_is_drawn_once_a_second_at_most() {
    let drawn = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&drawn);
    let landing = move || {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        Landing { html: format!("<p>{n}").into(), policy: "default-src 'none'".into() }
    };
    let server = Server::start(Setting { landing: Box::new(landing), ..Setting::default() });
    for _ in 0..50 {
        assert_eq!(server.ask("GET /").text(), "<p>0");
    }
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!(server.ask("GET /").text(), "<p>1");
    let broken = || -> Landing { panic!("on purpose") };
    let server = Server::start(Setting { landing: Box::new(broken), ..Setting::default() });
    assert_eq!([server.ask("GET /").status, server.ask("GET /metrics").status], [500, 200]);
}

#[test]
fn behind_a_prefix_everything_is_behind_it() {
    let paths = Paths::new("/metrics", None, Some("/mfa"));
    let server = Server::start(Setting { paths, ..Setting::default() });
    for (path, status) in [
        ("/mfa/metrics", 200),
        ("/mfa/", 200),
        ("/mfa/-/healthy", 200),
        ("/mfa/-/ready", 200),
        ("/metrics", 404),
        ("/-/ready", 404),
    ] {
        assert_eq!(server.ask(&format!("GET {path}")).status, status, "{path}");
    }
    for path in ["/", "/mfa"] {
        let away = server.ask(&format!("GET {path}"));
        assert_eq!((away.status, away.header("location")), (307, Some("/mfa/")), "{path}");
    }
    assert!(server.ask("GET /x").text().contains("/mfa/metrics"));
}

/// Whoever asks for it a thousand times at once takes one thread, and no scrape's time.
#[test]
fn reloads_wait_for_each_other() {
    let busy = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&busy);
    let reload: Reload = Arc::new(move || {
        assert_eq!(counted.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
        thread::sleep(Duration::from_millis(50));
        counted.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    });
    let server = Server::start(Setting { reload: Some(reload), ..Setting::default() });
    thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| server.ask("POST /-/reload").status)).collect();
        assert!(asked.into_iter().all(|asked| asked.join().unwrap() == 200));
    });
    assert_eq!(server.ask("GET /-/reload").status, 405);
}

/// A scrape in the middle of its body when the signal comes is sent to its end.
#[test]
fn a_scrape_under_way_is_finished_before_the_server_is_gone() {
    let mut server = Server::start(Setting::default());
    server.publish(64 << 20);
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    server.stop();
    thread::sleep(Duration::from_millis(300));
    assert!(TcpStream::connect(server.address).is_err(), "nobody new is let in");
    let answer = Response::read(&mut stream);
    assert_eq!(answer.header("content-length").unwrap().parse(), Ok(answer.body.len()));
    assert!(server.wait() < Duration::from_secs(4));
}

/// Who has connected when the end is asked for is answered, let in already or not.
/// A scrape was once reset by it.
#[test]
fn who_waits_at_the_door_is_answered_too() {
    for _ in 0..20 {
        let mut server = Server::start(Setting::default());
        let mut waiting: Vec<_> = (0..30).map(|_| server.connect()).collect();
        for stream in &mut waiting {
            stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        }
        server.stop();
        assert!(waiting.iter_mut().all(|stream| Response::read(stream).status > 0));
    }
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let mut server = Server::start(Setting::default());
    let mut idle = server.connect();
    let mut kept = server.connect();
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(200));
    server.stop();
    assert!(server.wait() < Duration::from_secs(2));
    assert!(is_cut(&mut idle) && is_cut(&mut kept));
}

#[test]
fn a_client_that_holds_up_the_end_is_cut_after_the_grace() {
    let mut server = Server::start(Setting::default());
    server.publish(64 << 20);
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    server.stop();
    let took = server.wait();
    assert!((4..8).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn an_exposition_has_its_length_in_every_form() {
    let exposition = exposition(5_000, Clock::new());
    for format in [Format::Text, Format::OpenMetrics] {
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let body = exposition.body(format, encoding);
            assert_eq!(body.length, body.frames.concat().len() as u64);
        }
    }
}
