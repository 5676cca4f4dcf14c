//! Decides what HTTP messages mean, with pure functions; sets up TLS; watches connections.

pub(crate) mod client_pool;
pub(crate) mod cloud;
pub(crate) mod coding;
pub(crate) mod conditional;
pub(crate) mod connection;
pub(crate) mod cookie;
pub(crate) mod digest;
pub(crate) mod disposition;
pub(crate) mod failure;
pub(crate) mod guard;
pub(crate) mod html;
pub(crate) mod netrc;
pub(crate) mod range;
pub(crate) mod redirect;
pub(crate) mod requests;
pub(crate) mod response;
pub(crate) mod retry_on;
pub(crate) mod source;
pub(crate) mod stores;
pub(crate) mod tls;
