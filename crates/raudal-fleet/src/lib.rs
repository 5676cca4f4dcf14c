//! One run over many machines, on NATS and its `JetStream`.
//!
//! ```text
//! submitter ─► plan: chunks of inputs ─► admit: at most K chunks of a host are open
//!                                          │ jobs: a work-queue stream, one durable pull consumer
//!                          worker ─► worker ─► worker     each reads its inputs one after the other
//!                                          │ a part, written once; then an event; then the ack
//! submitter ◄─ windows: input order, on the local disk ◄─ parts: a folder, NATS, or a cloud
//!     │ merge, as on one machine
//!   table
//! ```
//!
//! Parts are the truth. The broker may lose everything: a part is written once, under a name made of
//! the run and the chunk, and what is there is right.
//!
//! | module | what it does |
//! |---|---|
//! | [`connect`](Broker::connect), `broker` | the connection; streams and entries of a run |
//! | `events` | follows what happens in a run |
//! | `protocol`, `jobs` | the messages and the names; their version |
//! | `plan` | cuts inputs into chunks, by host |
//! | `admission` | which chunk may open next. Pure |
//! | `lead` | admits chunks for a run: the submitter does, and a worker when it is gone |
//! | `part`, `parts`, `content`, `store` | the result of a chunk, and where it lives |
//! | `windows` | brings the inputs of all parts into input order, with bounded memory |
//! | `reports` | what the observer of the run is told |
//! | `options` | [`SubmitOptions`] |
//! | `announce` | makes the plan of a run, and what its workers need |
//! | `arrivals` | fetches the parts that are there, and checks them |
//! | `gather` | what a submitter does with parts |
//! | `merging` | merges their inputs in order |
//! | `files`, `taken` | hands out the files that were fetched, and notes which of them were saved |
//! | `follow` | follows a run as its submitter |
//! | `submit` | [`submit()`], [`submit_files()`]: starts or resumes a run |
//! | `allow` | [`Allow`]: which inputs a worker takes |
//! | `lease`, `journal`, `pauses` | of a worker: whether its job is still its own; inputs that kill workers; hosts that asked for a pause |
//! | `made`, `counters` | what a worker makes of an input, and what it has done so far |
//! | `work`, `worker` | [`work()`]: one machine of a fleet |
//! | `page` | [`serve()`]: a page of the fleet for a browser |
//! | `runs`, `watch` | [`runs()`], [`cancel()`], [`forget()`], [`watch()`] |

mod admission;
mod allow;
mod announce;
mod arrivals;
mod broker;
mod content;
mod counters;
mod events;
mod files;
mod follow;
mod gather;
mod jobs;
mod journal;
mod lead;
mod lease;
mod made;
mod merging;
mod options;
mod page;
mod part;
mod parts;
mod pauses;
mod plan;
mod protocol;
mod reports;
mod runs;
mod store;
mod submit;
mod taken;
mod watch;
mod windows;
mod work;
mod worker;

pub use allow::Allow;
pub use broker::{Broker, Login};
pub use follow::Ended;
pub use options::{Say, SubmitOptions, Watch};
pub use page::serve;
pub use protocol::{PROTOCOL, State, WorkerStatus};
pub use runs::{RunInfo, WorkerInfo, cancel, forget, runs, workers};
pub use store::Parts;
pub use submit::{submit, submit_files};
pub use watch::watch;
pub use worker::{Build, Prepared, WorkerOptions, work};
