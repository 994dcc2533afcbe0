//! Whatever bytes come: they are no request, or one that can be written and read again with the same meaning.
#![no_main]

use jigsaw_proto::wire::FragmentRequest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = FragmentRequest::decode(bytes) {
        let again = FragmentRequest::decode(&request.encode()).expect("what was written is read");
        assert_eq!(again.fragment.to_string(), request.fragment.to_string());
    }
});
