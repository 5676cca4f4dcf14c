//! `raudal get`: fetches inputs into files of a folder.

use super::args::GetCommand;
use super::beside_bars::Lines;
use super::ending::Ending;
use super::inputs::Inputs;
use super::session::{Session, check_folder, verbosity};
use super::{cache, exit, limits, links, lock, metrics, output, plan, report, setup};
use raudal::fetch::Client;
use raudal::pipeline::files::{self, Existing, Members, Saved};
use raudal::progress::{Progress, Style};
use raudal::table::check_glob;
use raudal::{Error, Result};
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind, IsTerminal as _};
use std::path::{Path, PathBuf};

pub(crate) async fn get(args: GetCommand) -> Result<u8> {
    #[cfg(feature = "fleet")]
    check_fleet(&args)?;
    let inputs = Inputs::parse(&args.source)?;
    let mut options = options(&args)?;
    args.http.refuse_table_header()?;
    let mut of_client = setup::fetch_options(&args.http)?;
    of_client.cache = cache::of_run(&args.keep)?;
    let of_pages = links::wanted(&args.source)?;
    let client = Client::new(&of_client)?;
    let progress = Progress::new(Style::None, verbosity(&args.end.show));
    let inputs = links::follow(of_pages.as_ref(), inputs, &client, &options.run, args.run.deadline, &progress).await?;
    if args.source.strict_list {
        files::check(inputs.clone(), options.name.as_ref())?;
    }
    let lock = lock::of_run(&args.keep, &inputs)?;
    options.run.hosts = cache::hosts(&args.keep);
    let lowered = limits::lower(&mut options.run, transfers(&args), false);
    options.run.lock.clone_from(&lock);
    for path in [&args.end.report, &args.end.failed_to] {
        check_folder(path.as_deref())?;
    }
    metrics::check(args.end.metrics.as_deref())?;
    if args.end.dry_run {
        return plan::plan(inputs);
    }
    let session = Session::begin(&args.end.show, args.run.deadline, args.end.report.is_some());
    session.warn_of(&args.http);
    options.run.observer = session.observer();
    options.run.cancel = session.signals.token().clone();
    let mut lines = lists_files(&args).then(|| Lines::new(&session.progress));
    let tell = |saved: &Saved| {
        match lines.as_mut().map_or(Ok(()), |lines| lines.write(&shown(saved))) {
            // The reader of the paths has seen enough. The run continues: its purpose is the files.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => lines = None,
            written => written.map_err(|error| Error::io("cannot write to standard output", error))?,
        }
        Ok(())
    };
    let summary = Box::pin(fetch(&args, inputs.clone(), &client, options, tell, &session)).await;
    let mut summary = match summary.inspect_err(|_| session.progress.finish())? {
        Ok(summary) => summary,
        Err(code) => return Ok(code),
    };
    summary.warnings.extend(lowered);
    let ending = Ending::from(&summary);
    let total = inputs.len();
    session.conclude(&ending, total - summary.repeated);
    session.say_files(&summary, args.resume && has_partial_files(&args.dir), args.update);
    session.say_cache(of_client.cache.as_ref());
    lock::write(&args.keep, lock.as_deref(), &ending, &session.progress)?;
    let code = exit::of_ending(&ending, session.signals.stop());
    if let Some(path) = &args.end.failed_to {
        report::write_failed(path, &ending, inputs)?;
    }
    if let Some(path) = &args.end.report {
        let recording = session.recorder.as_ref().map(|recorder| recorder.recording()).unwrap_or_default();
        report::write_files(path, &summary, &recording, code)?;
    }
    metrics::write(args.end.metrics.as_deref(), "get", &ending, total, code)?;
    Ok(code)
}

/// Fetches the files, here or over a fleet. Returns the exit code instead of a summary if the run goes on without us.
async fn fetch(
    args: &GetCommand,
    inputs: Inputs,
    client: &Client,
    options: files::Options,
    tell: impl FnMut(&Saved) -> Result<()>,
    session: &Session,
) -> Result<Result<files::Summary, u8>> {
    #[cfg(feature = "fleet")]
    if args.fleet.nats.nats.is_some() {
        return submission(args).run_files(inputs, options, tell, session).await;
    }
    #[cfg(not(feature = "fleet"))]
    let _ = (args, session);
    files::run(inputs, client, options, tell).await.map(Ok)
}

#[cfg(feature = "fleet")]
fn submission(args: &GetCommand) -> super::fleet::Submission<'_> {
    super::fleet::Submission { fleet: &args.fleet, run: &args.run, http: &args.http, keep: &args.keep, null: &[] }
}

/// Refuses what has no meaning over a fleet.
#[cfg(feature = "fleet")]
fn check_fleet(args: &GetCommand) -> Result<()> {
    if args.fleet.nats.nats.is_none() {
        return Ok(());
    }
    submission(args).check()?;
    if args.update {
        return Err(Error::usage("with --nats, files cannot be updated: workers do not know which versions are here")
            .hint("leave --nats out: for what has not changed, --update asks only whether it has"));
    }
    if args.resume {
        return Err(Error::usage("with --nats, there are no partial files here to continue: -c")
            .hint("the same command resumes its run; --skip-existing keeps the files that are here"));
    }
    Ok(())
}

pub(super) fn options(args: &GetCommand) -> Result<files::Options> {
    output::check_local(&args.dir)?;
    let mut options = files::Options::new(&args.dir);
    options.limits = setup::bounds(&args.bounds);
    options.member_encoding = setup::member_encoding(&args.names)?;
    options.run = setup::run_options(&args.run);
    options.run.checksums = setup::checksums(&args.verify)?;
    options.resume = args.resume;
    options.existing = match (args.update, args.skip_existing || args.resume, args.overwrite) {
        (true, ..) => Existing::Update,
        (_, true, _) => Existing::Skip,
        (.., true) => Existing::Replace,
        _ => Existing::Refuse,
    };
    // An empty variable is no template.
    let template = if args.directories { Some("{host}/{path}") } else { args.name.as_deref() };
    options.name = template.filter(|template| !template.is_empty()).map(str::parse).transpose()?;
    options.extract = match args.extract.as_deref() {
        None => None,
        Some("") => Some(Members::All),
        Some(glob) => {
            check_glob("--extract", glob)?;
            Some(Members::Matching(glob.to_owned()))
        }
    };
    Ok(options)
}

/// Returns what a transfer has open at once.
pub(super) fn transfers(args: &GetCommand) -> limits::Transfers {
    if args.resume || args.update { limits::Transfers::Resumable } else { limits::Transfers::Files }
}

/// Returns whether the path of each file is printed. Another program reads them all; on a terminal,
/// thousands of them would only hide what failed.
fn lists_files(args: &GetCommand) -> bool {
    args.end.show.verbose || !std::io::stdout().is_terminal()
}

/// Returns whether a run has left something to go on with.
fn has_partial_files(folder: &Path) -> bool {
    let names = |entry: io::Result<DirEntry>| entry.ok().map(|entry| PathBuf::from(entry.file_name()));
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.filter_map(names).any(|name| name.extension().is_some_and(|ending| ending == "part"))
    })
}

/// Returns the path to print: the file, or its folder with --extract.
fn shown(saved: &Saved) -> String {
    saved.extracted.as_ref().unwrap_or(&saved.path).display().to_string()
}
