//! A server that answers at once and stamps the moment at which each request arrived: what the wire saw, to be held
//! against what the replayer planned and says of itself. One thread and `epoll`; keep it on a core of its own.
//!
//! Usage: `recorder SECONDS FILE`. Prints its address, serves for so long, then writes pairs of numbers of eight bytes
//! each, in this machine's order: the session's name and the nanoseconds of the monotonic clock.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "it is a program")]

fn main() {
    #[cfg(target_os = "linux")]
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use rustix::buffer::spare_capacity;
    use rustix::event::{Timespec, epoll};
    use rustix::time::{ClockId, clock_gettime};

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    const NAME: &[u8] = b"x-loadprint-session: ";
    const LISTENER: u64 = u64::MAX;

    pub(super) fn main() {
        let arguments: Vec<String> = std::env::args().collect();
        let (seconds, file): (u64, &str) = (arguments[1].parse().unwrap(), &arguments[2]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("{}", listener.local_addr().unwrap());
        let mut arrivals: Vec<(u64, u64)> = Vec::with_capacity(4_000_000);
        serve(&listener, now_ns() + seconds * 1_000_000_000, &mut arrivals);
        let bytes =
            arrivals.iter().flat_map(|(name, at_ns)| [name.to_ne_bytes(), at_ns.to_ne_bytes()].concat());
        fs_err::write(file, bytes.collect::<Vec<u8>>()).unwrap();
    }

    fn now_ns() -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    fn serve(listener: &TcpListener, until_ns: u64, arrivals: &mut Vec<(u64, u64)>) {
        listener.set_nonblocking(true).unwrap();
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        epoll::add(&poll, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN).unwrap();
        let mut streams: Vec<Option<TcpStream>> = Vec::new();
        let (mut events, mut bytes) = (Vec::with_capacity(256), vec![0; 16 * 1024]);
        let patience = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        while now_ns() < until_ns {
            events.clear();
            epoll::wait(&poll, spare_capacity(&mut events), Some(&patience)).unwrap();
            for event in &events {
                let number = event.data.u64();
                if number == LISTENER {
                    while let Ok((stream, _)) = listener.accept() {
                        stream.set_nonblocking(true).unwrap();
                        stream.set_nodelay(true).unwrap();
                        let data = epoll::EventData::new_u64(streams.len() as u64);
                        epoll::add(&poll, &stream, data, epoll::EventFlags::IN).unwrap();
                        streams.push(Some(stream));
                    }
                    continue;
                }
                let place = &mut streams[number as usize];
                // Requests of the replayer come in one piece.
                match place.as_mut().map(|stream| stream.read(&mut bytes)) {
                    Some(Ok(length @ 1..)) => {
                        arrivals.push((name(&bytes[..length]), now_ns()));
                        place.as_mut().unwrap().write_all(ANSWER).unwrap();
                    }
                    _ => *place = None,
                }
            }
        }
    }

    /// The session's name as the number it spells; 0 where there is none.
    fn name(request: &[u8]) -> u64 {
        let at = request.windows(NAME.len()).position(|window| window == NAME);
        let digits = at.and_then(|at| request.get(at + NAME.len()..at + NAME.len() + 16));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
    }
}
