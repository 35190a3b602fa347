//! Reading several records at once.

use super::*;

#[test]
fn one_call_reads_several_records_up_to_its_limit() {
    let (mut stream, client) = connected(|mut client| {
        for letter in [b"a", b"b", b"c", b"d"] {
            client.write_all(letter).unwrap();
        }
        client
    });
    // All are there when it has returned.
    let mut client = client.join().unwrap();
    let mut buf = [0; 10];
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read_records(&mut buf, 3)), 3);
    assert_eq!(&buf[..3], b"abc");
    assert_eq!(stream.read_records(&mut buf, 3).unwrap(), 1);
    assert_eq!(stream.read_records(&mut buf, 3).unwrap_err().kind(), io::ErrorKind::WouldBlock);

    client.write_all(b"ef").unwrap();
    client.write_all(b"g").unwrap();
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read_records(&mut buf[..1], 3)), 1);
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read_records(&mut buf[..2], 3)), 2);
    assert_eq!(&buf[..2], b"fg");
}

#[test]
fn an_error_comes_after_the_bytes_before_it() {
    let (mut stream, client) = connected(|mut client| {
        client.write_all(b"a").unwrap();
        client.get_mut().write_all(b"this is not a record at all").unwrap();
        client
    });
    let _client = client.join().unwrap();
    let mut buf = [0; 10];
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read_records(&mut buf, 9)), 1);
    let error = stream.read_records(&mut buf, 9).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("what the client sends is not TLS"), "{error}");
}
