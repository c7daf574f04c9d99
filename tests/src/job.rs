use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::binaries::{Outcome, ServerProcess, corridor, server_command};
use crate::workspace_root;

/// The two offices of a job, by the name of their folder.
pub const OFFICES: [(&str, &str); 2] = [("tn", "INS-TN"), ("it", "ISTAT")];

/// Two offices and a service on three "machines" (folders), played with the two binaries as people would.
///
/// `server/` has the service's certificates, config and data; `tn/` and `it/` an office's passphrase, keys, service
/// file and register.
#[derive(Debug)]
pub struct Job {
    folder: TempDir,
    server: Option<ServerProcess>,
}

/// How an agreement is proposed.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Encoding profile.
    pub profile: &'a str,
    /// A ready-made schema, or a schema file of the proposing office, which has its own profile.
    pub schema: &'a str,
    /// `estimated` or a number.
    pub threshold: &'a str,
    /// The recall asked of keys of bits.
    pub lsh_recall: Option<&'a str>,
    /// As a TOML list.
    pub outputs: &'a str,
    /// Makes an agreement another one.
    pub seed: u64,
    /// Lines in place of the template's status.
    pub status: &'a str,
    /// Lines at the end of the terms, as a section `[statistics]`.
    pub statistics: &'a str,
}

impl Default for Terms<'_> {
    fn default() -> Self {
        Self {
            profile: "saul-3-2048",
            schema: "generic",
            threshold: "estimated",
            lsh_recall: None,
            outputs: "[\"flow_table\", \"link_list\"]",
            seed: 1,
            status: "status = \"final\"",
            statistics: "",
        }
    }
}

impl Job {
    /// Makes certificates, starts the service, and makes and exchanges both offices' keys.
    ///
    /// # Panics
    /// When one of these fails.
    pub fn start() -> Self {
        Self::start_on("")
    }

    /// The same with more sections in the service's settings.
    ///
    /// # Panics
    /// As [`Job::start`].
    pub fn start_on(sections: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut job = Self { folder, server: None };
        let server = job.path("server");
        fs::create_dir(&server).expect("a folder can be made");
        let identities = [
            "identity",
            "init",
            "--dir",
            "certs",
            "--host",
            "localhost",
            "--office",
            "INS-TN",
            "--office",
            "ISTAT",
        ];
        let made: Outcome = server_command(&server, &identities)
            .output()
            .expect("corridor-server runs")
            .into();
        made.succeeded();
        let sample = fs::read_to_string(workspace_root().join("deploy/corridor-server.toml"))
            .expect("the sample config is there");
        let config = sample.replace("127.0.0.1:7443", "127.0.0.1:0") + sections;
        fs::write(server.join("server.toml"), config).expect("a file can be written");
        job.start_server();
        for (office, id) in OFFICES {
            write_private(
                &job.path(office).join("pass.txt"),
                &format!("passphrase of {id}\n"),
            )
            .expect("a file can be written");
            job.run(
                office,
                &[
                    "keys",
                    "init",
                    "--office",
                    id,
                    "--dir",
                    "keys",
                    "--passphrase-file",
                    "pass.txt",
                ],
            )
            .succeeded();
        }
        job.exchange_keys("project.key");
        for (office, side, mapping) in [("tn", "a.csv", "left.toml"), ("it", "b.csv", "right.toml")] {
            for (from, to) in [(side, "register.csv"), (mapping, "mapping.toml")] {
                fs::copy(fixture(from), job.path(office).join(to)).expect("a fixture can be copied");
            }
        }
        job
    }

    /// A folder or file of the job.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `corridor` in an office's folder.
    pub fn run(&self, office: &str, arguments: &[&str]) -> Outcome {
        corridor(&self.path(office), arguments)
    }

    /// Where the service listens.
    ///
    /// # Panics
    /// When it does not run.
    pub fn server_address(&self) -> SocketAddr {
        self.server.as_ref().expect("the service runs").address()
    }

    /// Starts the service, and writes both offices' service files, since the port is another each time.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_server(&mut self) {
        self.use_server(ServerProcess::start(&self.path("server"), "server.toml"));
    }

    /// Changes lines of the service's settings, for its next start.
    ///
    /// # Panics
    /// When a line is not there.
    pub fn set(&self, changes: &[(&str, &str)]) {
        let path = self.path("server").join("server.toml");
        let mut config = fs::read_to_string(&path).expect("the config is there");
        for (from, to) in changes {
            assert!(config.contains(from), "{from} is in the config");
            config = config.replacen(from, to, 1);
        }
        fs::write(path, config).expect("a file can be written");
    }

    /// The service, which runs.
    ///
    /// # Panics
    /// When it does not run.
    pub fn server(&self) -> &ServerProcess {
        self.server.as_ref().expect("the service runs")
    }

    /// The same with a new, small disk for the service's data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_server_on_small_disk(&mut self, kib: u32) {
        let folder = self.path("server");
        self.use_server(ServerProcess::start_on_small_disk(
            &folder,
            "server.toml",
            "data",
            kib,
        ));
    }

    /// The service's data folder as the service sees it, on its small disk.
    ///
    /// # Panics
    /// When it does not run.
    pub fn small_disk(&self) -> PathBuf {
        let server = self.server.as_ref().expect("the service runs");
        let data = self.path("server").join("data");
        let inside = data.strip_prefix("/").expect("an absolute path").to_owned();
        Path::new("/proc")
            .join(server.id().to_string())
            .join("root")
            .join(inside)
    }

    /// Starts a service with other settings, which the offices then use.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_server_with(&mut self, config: &str) {
        self.use_server(ServerProcess::start(&self.path("server"), config));
    }

    /// Makes `server` the offices' service and gives the one it was.
    ///
    /// # Panics
    /// When a service file cannot be written.
    pub fn use_server(&mut self, server: ServerProcess) -> Option<ServerProcess> {
        for (office, id) in OFFICES {
            fs::create_dir_all(self.path(office)).expect("a folder can be made");
            let text = format!(
                "server = \"https://localhost:{}\"\nca = \"../server/certs/ca.pem\"\n\
                 certificate = \"../server/certs/{id}.pem\"\nprivate_key = \"../server/certs/{id}.key\"\n",
                server.address().port()
            );
            fs::write(self.path(office).join("service.toml"), text).expect("a file can be written");
        }
        self.server.replace(server)
    }

    /// Kills the service at once and gives its log.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill_server(&mut self) -> String {
        self.server.take().expect("the service runs").kill()
    }

    /// Asks the service to end and gives its log and exit code.
    ///
    /// # Panics
    /// When it does not run.
    pub fn terminate_server(&mut self) -> (String, Option<i32>) {
        self.server.take().expect("the service runs").terminate()
    }

    /// The three steps of a key exchange; both offices write `project`.
    ///
    /// # Panics
    /// When a step fails.
    pub fn exchange_keys(&self, project: &str) {
        let step = |office: &str, peer: &str, more: &[&str]| {
            let common = [
                "keys",
                "exchange",
                "--identity",
                "keys/identity.key",
                "--passphrase-file",
                "pass.txt",
            ];
            let more = [&["--peer", peer, "--project", project], more].concat();
            self.run(office, &[&common[..], &more].concat()).succeeded();
        };
        let (offer, reply) = (format!("{project}.offer"), format!("{project}.reply"));
        let pending = format!("{project}.pending");
        let theirs = format!("../tn/{offer}");
        step(
            "tn",
            "../it/keys/identity.pub",
            &["--out", &offer, "--pending", &pending],
        );
        step(
            "it",
            "../tn/keys/identity.pub",
            &["--message", &theirs, "--out", &reply],
        );
        let theirs = format!("../it/{reply}");
        step(
            "tn",
            "../it/keys/identity.pub",
            &["--message", &theirs, "--pending", &pending],
        );
    }

    /// One office proposes an agreement; gives its digest.
    ///
    /// # Panics
    /// When the service refuses.
    pub fn propose(&self, terms: &Terms<'_>) -> String {
        let template = self.run("tn", &["agreement", "template"]).succeeded().stdout;
        let lsh_recall = terms
            .lsh_recall
            .map_or_else(String::new, |recall| format!("lsh_recall = {recall}"));
        let text = template
            .replace("\"ins-tn.pub\"", "\"keys/identity.pub\"")
            .replace("\"istat.pub\"", "\"../it/keys/identity.pub\"")
            .replace(
                "profile = \"saul-3-2048\"",
                &format!("profile = \"{}\"", terms.profile),
            )
            .replace("schema = \"generic\"", &format!("schema = \"{}\"", terms.schema))
            .replace(
                "threshold = \"estimated\"",
                &format!("threshold = \"{}\"", terms.threshold),
            )
            .replace(
                "outputs = [\"flow_table\"]",
                &format!("outputs = {}", terms.outputs),
            )
            .replace("# lsh_recall = 0.98", &lsh_recall)
            .replace("seed = 1", &format!("seed = {}", terms.seed))
            .replace("status = \"final\"", terms.status)
            + terms.statistics;
        fs::write(self.path("tn").join("terms.toml"), text).expect("a file can be written");
        let proposed = self
            .run("tn", &["agreement", "propose", "terms.toml"])
            .succeeded();
        proposed.line().to_owned()
    }

    /// One office signs an agreement.
    ///
    /// # Panics
    /// When the service refuses.
    pub fn sign(&self, office: &str, agreement: &str) {
        let arguments = ["agreement", "sign", agreement, "--identity", "keys/identity.key"];
        self.run(
            office,
            &[&arguments[..], &["--passphrase-file", "pass.txt"]].concat(),
        )
        .succeeded();
    }

    /// Proposes an agreement, has both sign it and saves it in both offices' folders; gives its digest.
    ///
    /// # Panics
    /// When the service refuses.
    pub fn agree(&self, terms: &Terms<'_>) -> String {
        let agreement = self.propose(terms);
        for (office, _) in OFFICES {
            self.sign(office, &agreement);
        }
        for (office, _) in OFFICES {
            let saved = self.path(office).join("agreement.json");
            // An agreement of before is in the way.
            drop(fs::remove_file(&saved));
            self.run(office, &["agreement", "show", &agreement, "-o", "agreement.json"])
                .succeeded();
        }
        agreement
    }

    /// One office encodes its register to `dataset` under the agreement it saved.
    pub fn encode(&self, office: &str, key: &str, dataset: &str) -> Outcome {
        self.encode_with(office, key, dataset, &[])
    }

    /// The same with more arguments.
    pub fn encode_with(&self, office: &str, key: &str, dataset: &str, more: &[&str]) -> Outcome {
        let pseudonyms = format!("{dataset}.ids.csv");
        let arguments = [
            "encode",
            "--mapping",
            "mapping.toml",
            "--agreement",
            "agreement.json",
            "--key",
            key,
            "--pseudonyms",
            &pseudonyms,
            "--passphrase-file",
            "pass.txt",
            // One record of the bundled registers is too short to be encoded.
            "--max-refused",
            "1%",
            "register.csv",
            "-o",
            dataset,
        ];
        self.run(office, &[&arguments[..], more].concat())
    }

    /// One office uploads a dataset.
    pub fn upload(&self, office: &str, dataset: &str) -> Outcome {
        self.run(office, &["upload", dataset, "--agreement", "agreement.json"])
    }

    /// One office releases the result of a run.
    pub fn release(&self, office: &str, run: &str) -> Outcome {
        let arguments = ["flows", "release", run, "--identity", "keys/identity.key"];
        self.run(
            office,
            &[&arguments[..], &["--passphrase-file", "pass.txt"]].concat(),
        )
    }
}

/// Writes a file its owner alone can read.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// A file of the bundled registers.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(&workspace_root())
        .join("crates/cli/fixtures/corridor_tn_it")
        .join(name)
}
