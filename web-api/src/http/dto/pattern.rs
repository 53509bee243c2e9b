//! The forms of text parameters for the OpenAPI document. The types that a text is parsed into check it;
//! these patterns describe the same rules in JSON Schema.

use salvo::oapi::schema::{BasicType, Object, Schema};
use salvo::oapi::{Components, RefOr, ToSchema};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $pattern:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl ToSchema for $name {
            fn to_schema(_components: &mut Components) -> RefOr<Schema> {
                Object::with_type(BasicType::String).pattern($pattern).into()
            }
        }
    )+};
}

texts! {
    /// The id of a job, a batch, a schedule or an entry.
    Id: "^[0-7][0-9A-HJKMNP-TV-Z]{25}$";
    QueueText: "^[a-z0-9-]{1,64}$";
    /// Letters and digits of any script and a few signs: regular expressions have no common word for the former.
    TagText: "^[^\\s,\"]{1,64}$";
    FingerprintText: "^[0-9a-f]{16}$";
    /// One state, or several.
    States: "^(scheduled|queued|running|retrying|completed|dead|cancelled)(,(scheduled|queued|running|retrying|completed|dead|cancelled))*$";
    /// From 1 ms to 60 s.
    Wait: "^([1-9][0-9]{0,3}ms|[1-5][0-9]{4}ms|60000ms|[1-9]s|[1-5][0-9]s|60s|1m)$";
    /// The length of a point of a series.
    PointStep: "^(1m|5m|15m|1h|3h|6h|1d)$";
    Flag: "^(1|true|0|false)$";
    /// Printable ASCII characters, not only blanks.
    Key: "^[!-~][ -~]{0,254}$";
    AuditRole: "^(anybody|viewer|admin)$";
    AuditEnd: "^(done|refused|failed|unknown)$";
    /// What no row can have is left out.
    Plain: "^[^\\x00]*$";
}
