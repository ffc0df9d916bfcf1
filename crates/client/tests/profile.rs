//! A change of a profile is one of the version that it was made from, or none at all.

use wharf_api::profile::ProfileUpload;
use wharf_client::{Client, Error};

/// Nobody listens there: what is sent at all fails otherwise.
const NOBODY: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn nothing_is_sent_whose_version_cannot_be_a_condition() {
    let client = Client::new(NOBODY, None).unwrap();
    let upload = ProfileUpload::default();
    for odd in ["a\"b", "a b", "a\nb", "é"] {
        let put = client.put_profile_tree(None, odd, &upload, &[]).await;
        assert!(
            matches!(&put, Err(error @ Error::Version { .. }) if error.nothing_sent()),
            "{odd:?}: {put:?}"
        );
    }
    let put = client.put_profile_tree(None, "4f1c2ab", &upload, &[]).await;
    assert!(matches!(put, Err(Error::Connect { .. })), "{put:?}");
}
