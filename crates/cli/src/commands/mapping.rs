use corridor_encode::draft_mapping;

use crate::args::MappingCommand;
use crate::output::{data, talk, write_file};

pub(crate) fn run(command: MappingCommand) -> anyhow::Result<()> {
    match command {
        MappingCommand::Init { file, output } => {
            let draft = draft_mapping(&file)?;
            match output {
                Some(path) => {
                    write_file(&path, draft.as_bytes())?;
                    talk(&format!("wrote {}; check every line of it", path.display()));
                    talk(&format!(
                        "next: corridor inspect {} --mapping {}",
                        file.display(),
                        path.display()
                    ));
                    Ok(())
                }
                None => data(&draft),
            }
        }
    }
}
