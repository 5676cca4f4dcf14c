//! A server of S3 that others wrote, which checks signatures.
//!
//! The variable `RAUDAL_S3` says where it is, who may ask, and which bucket is for the tests:
//! `http://KEY:SECRET@HOST:PORT/BUCKET`.

/// The server, and a folder of its bucket.
pub struct S3 {
    pub server: String,
    key: String,
    secret: String,
    /// Each test has a folder of its own: several runs may share a server.
    pub folder: String,
    /// One more variable.
    pub more: Option<(&'static str, &'static str)>,
}

impl S3 {
    /// Returns the server; `None`, with a line, where none is given.
    pub fn given(test: &str) -> Option<Self> {
        let Ok(given) = std::env::var("RAUDAL_S3") else {
            eprintln!("SKIPPED: no server of S3 is given with RAUDAL_S3");
            return None;
        };
        let (key, rest) = given.strip_prefix("http://").and_then(|rest| rest.split_once(':')).expect("a key");
        let (secret, rest) = rest.rsplit_once('@').expect("a secret");
        let (host, bucket) = rest.split_once('/').expect("a bucket");
        let folder = format!("s3://{bucket}/{test}-{:08x}", fastrand::u32(..));
        Some(Self {
            server: format!("http://{host}"),
            key: key.to_owned(),
            secret: secret.to_owned(),
            folder,
            more: None,
        })
    }

    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.server),
            ("AWS_ACCESS_KEY_ID", &self.key),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
            ("AWS_REGION", "us-east-1"),
        ]
    }

    /// Does something with the folder.
    pub fn with<T>(&self, work: impl AsyncFnOnce(raudal::fetch::Bucket) -> raudal::Result<T>) -> T {
        use raudal::fetch::{Client, Environment, Options};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let done = runtime.block_on(async {
            let mut options = Options::default();
            options.environment = Some(self.environment().into_iter().chain(self.more).collect::<Environment>());
            let folder = raudal::source::Object::parse(&self.folder)?;
            work(Client::new(&options)?.bucket(&folder).await?).await
        });
        done.expect("the store answers")
    }
}
