//! The set-up of most process tests: a directory, a server, an agent, and drives that it has listed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use wire::job::{Job, Outcome};
use wire::options::{FileSystem, FormatRequest, PlanOptions, Table};
use wire::{DriveId, JobId};

use super::{Agent, Brake, Freezer, Loop, Medium, Server, not_here};

/// All of it; taken down when dropped.
pub(crate) struct Bench {
    pub server: Server,
    pub agent: Agent,
    pub drives: Vec<Loop>,
    arguments: Vec<String>,
    /// Behind which words the agent is started again.
    again: Vec<String>,
    dir: TempDir,
}

impl Bench {
    /// A claimed server, an agent, and a loop device of each size in MiB; `None`, and told, where there are none.
    pub(crate) async fn new(mib: &[u64]) -> Option<Self> {
        Self::with(mib, true, &[]).await
    }

    /// The same with the server claimed or not, and with further arguments of the agent.
    pub(crate) async fn with(mib: &[u64], claimed: bool, arguments: &[&str]) -> Option<Self> {
        Self::begin(mib, claimed, arguments, |_, _| Vec::new()).await
    }

    /// One drive of this size, whose count of media the agent reads from [`Bench::count`].
    pub(crate) async fn counted(mib: u64, arguments: &[&str]) -> Option<Self> {
        Self::begin(&[mib], true, arguments, |dir, drive| {
            let count = dir.join("diskseq");
            std::fs::write(&count, "1000001\n").unwrap();
            let name = drive.node.file_name().unwrap().to_str().unwrap();
            let bind = format!(
                "mount --bind {} /sys/block/{name}/diskseq && exec \"$0\" \"$@\"",
                count.display()
            );
            ["unshare", "--mount", "sh", "-c", &bind].map(str::to_owned).to_vec()
        })
        .await
    }

    /// One drive of this size, and a `ledctl` that runs these lines of `sh` in [`Bench::path`].
    pub(crate) async fn with_ledctl(mib: u64, lines: &str) -> Option<Self> {
        let behind = |dir: &Path| {
            // Tools are looked for in a fixed list of folders.
            let bind = format!(
                "mount --bind {} /usr/local/sbin && exec \"$0\" \"$@\"",
                dir.join("bin").display()
            );
            ["unshare", "--mount", "sh", "-c", &bind].map(str::to_owned).to_vec()
        };
        let bench = Self::begin(&[mib], true, &[], |dir, _| {
            let (bin, here) = (dir.join("bin"), dir.display());
            std::fs::create_dir(&bin).unwrap();
            let program = bin.join("ledctl");
            let script = format!("#!/bin/sh\ncd {here} || exit 1\n{lines}\n");
            std::fs::write(&program, script).unwrap();
            std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
            behind(dir)
        })
        .await?;
        let again = behind(bench.dir.path());
        Some(Self { again, ..bench })
    }

    /// Lets the kernel seem to have counted the first drive of [`Bench::counted`] so often.
    pub(crate) fn count(&self, media: u32) {
        // Written in place: the agent's mount is of this very file.
        std::fs::write(self.dir.path().join("diskseq"), format!("{media}\n")).unwrap();
    }

    /// One drive of this size, and an agent with a medium of its own for its state, which a test may fill.
    pub(crate) async fn with_medium(mib: u64, size: &str, arguments: &[&str]) -> Option<(Self, Medium)> {
        let medium = std::cell::OnceCell::new();
        let bench = Self::begin(&[mib], true, arguments, |dir, _| {
            medium.get_or_init(|| Medium::new(&dir.join("data"), size)).words()
        })
        .await?;
        let medium = medium.into_inner().unwrap();
        let again = medium.words();
        Some((Self { again, ..bench }, medium))
    }

    /// The same with a file system that a test may freeze.
    pub(crate) async fn with_freezer(mib: u64, arguments: &[&str]) -> Option<(Self, Freezer)> {
        let freezer = std::cell::OnceCell::new();
        let bench = Self::begin(&[mib], true, arguments, |dir, _| {
            freezer.get_or_init(|| Freezer::new(&dir.join("data")));
            Vec::new()
        })
        .await?;
        Some((bench, freezer.into_inner()??))
    }

    async fn begin(
        mib: &[u64],
        claimed: bool,
        arguments: &[&str],
        behind: impl Fn(&Path, &Loop) -> Vec<String>,
    ) -> Option<Self> {
        if not_here() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let drives: Vec<Loop> = mib.iter().map(|mib| Loop::new(*mib)).collect();
        let server = Server::start(dir.path(), claimed).await;
        let agent = Agent::behind(&behind(dir.path(), &drives[0]), dir.path(), arguments);
        for drive in &drives {
            server.drive(&drive.id()).await;
        }
        Some(Self {
            server,
            agent,
            drives,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            again: Vec::new(),
            dir,
        })
    }

    /// The directory of it all: `server.sock`, `data`, `run`.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn ids(&self) -> Vec<DriveId> {
        self.drives.iter().map(Loop::id).collect()
    }

    /// Starts a job on the first drive.
    pub(crate) async fn job(&self, playbook: &str) -> JobId {
        self.server.start_jobs(&[self.drives[0].id()], playbook).await[0]
    }

    /// Starts one that formats all drives; that on the first.
    pub(crate) async fn formatted_job(&self) -> JobId {
        self.formatted_jobs().await[0]
    }

    /// Starts one that formats on each drive.
    pub(crate) async fn formatted_jobs(&self) -> Vec<JobId> {
        let options = PlanOptions {
            format: Some(FormatRequest {
                table: Table::Auto,
                filesystem: FileSystem::Ext4,
                reserved_percent: 0,
                label: String::new(),
            }),
            ..PlanOptions::default()
        };
        self.server.start_jobs_with(&self.ids(), "surface", options).await
    }

    /// Starts a job on the first drive and waits until it has taken a checkpoint or two.
    pub(crate) async fn job_in_the_middle(&self, playbook: &str) -> JobId {
        let id = self.job(playbook).await;
        self.in_the_middle(id).await;
        id
    }

    /// Waits until the job has taken a checkpoint or two.
    pub(crate) async fn in_the_middle(&self, job: JobId) {
        let _brake = Brake::on(&self.agent);
        self.server
            .until("the job to be in the middle", |seen| {
                let job = seen.jobs.get(&job)?;
                assert!(
                    !job.state.is_over(),
                    "it was over before it could be interrupted: {job:?}"
                );
                job.progress.as_ref().filter(|p| p.done.0 > 16 << 20).map(|_| ())
            })
            .await;
    }

    /// The same agent under a server that was started anew and has seen nothing.
    pub(crate) async fn with_another_server(self) -> Self {
        let key = self.server.kill().await;
        let server = Server::start_with(self.dir.path(), key, true).await;
        Self { server, ..self }
    }

    /// Starts the agent again after its end, and waits until it has told what there is.
    pub(crate) async fn restart_and_wait(&mut self) {
        let connections = self.server.look(|seen| seen.connections);
        self.restart();
        self.server
            .until("the agent to be back", |seen| {
                (seen.connections > connections).then_some(())
            })
            .await;
        for drive in &self.drives {
            self.server.drive(&drive.id()).await;
        }
    }

    /// Starts the agent again after its end, which is a kill where it still runs: two would want one store.
    pub(crate) fn restart(&mut self) {
        self.agent.kill();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.agent = Agent::behind(&self.again, self.dir.path(), &arguments);
    }
}

pub(crate) fn outcome(job: &Job) -> Outcome {
    job.verdict.as_ref().unwrap().outcome
}
