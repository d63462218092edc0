//! `resilience export`: a run's outcomes as CSV, its adversarial images for NumPy.

use resilience_core::export;
use resilience_core::store::RunStore;

use crate::args::{Export, ExportFormat};
use crate::error::CliError;
use crate::screen::Screen;

/// Writes the file or files, and says which.
pub fn run(arguments: &Export, screen: &Screen) -> Result<(), CliError> {
    let store = RunStore::open(&arguments.run)?;
    match arguments.format {
        ExportFormat::Csv => {
            let default = arguments.run.join("outcomes.csv");
            let path = arguments.out.as_ref().unwrap_or(&default);
            let lines = export::csv(&store, path)?;
            screen.print(&format!("{}: {lines} outcomes", path.display()));
        }
        ExportFormat::Npz => {
            let files = export::npz(&store, arguments.out.as_ref().unwrap_or(&arguments.run))?;
            for file in files {
                let (path, images) = (file.path.display(), file.images);
                screen.print(&format!("{path}: {images} images that broke {}", file.model));
            }
        }
    }
    Ok(())
}
