//! Decodes and encodes messages.

use std::fmt::Debug;

use incumbent_zk_proto::jute::{Malformed, Reader};
use incumbent_zk_proto::{ConnectRequest, ConnectResponse, Op, Request, Response, WatchEvent};

/// Reads bytes as each kind of message. A message that can be read is written, and must read back
/// as the same.
pub fn frame(bytes: &[u8]) {
    if let Ok((header, Some(request))) = Request::read_frame(bytes) {
        assert_eq!(header.op, request.op().number());
        let mut out = Vec::new();
        request.write_frame(header.xid, &mut out);
        assert_eq!(Request::read_frame(&out), Ok((header, Some(request))));
    }
    if let Ok(request) = ConnectRequest::read(bytes) {
        let mut out = Vec::new();
        request.write(&mut out);
        assert_eq!(ConnectRequest::read(&out), Ok(request));
    }
    same(bytes, ConnectResponse::read, ConnectResponse::write);
    let event = |bytes: &[u8]| WatchEvent::read(&mut Reader::new(bytes));
    same(bytes, event, WatchEvent::write);
    for op in Op::ALL {
        let read = |bytes: &[u8]| Response::read(*op, &mut Reader::new(bytes));
        same(bytes, read, Response::write);
    }
}

fn same<T: Debug + PartialEq>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, Malformed>,
    write: impl Fn(&T, &mut Vec<u8>),
) {
    if let Ok(message) = read(bytes) {
        let mut out = Vec::new();
        write(&message, &mut out);
        assert_eq!(read(&out), Ok(message));
    }
}
