import Glibc
import Synchronization

/// Ctrl-C, or a system that wants the process to end, asks the running command to stop and to leave nothing behind; a
/// second time ends the process.
enum Interruption {
    private static let flag = Atomic<Bool>(false)
    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    static func watch() {
        _ = isRequested  // the flag exists before a signal can come
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { number in
                Interruption.flag.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
        }
    }
}

/// A bar on standard error while a command works; silent where that is no terminal.
final class ProgressBar {
    private let isShown: Bool
    private var drawn = ""

    init(quiet: Bool) { isShown = !quiet && isatty(STDERR_FILENO) == 1 }

    /// Draws, and says whether to go on.
    func update(_ fraction: Float, _ stage: String) -> Bool {
        if isShown {
            let width = 30
            let filled = max(0, min(width, Int(fraction * Float(width))))
            let percent = String(Int(max(0, min(1, fraction)) * 100))
            let line = "[" + String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled) + "] "
                + String(repeating: " ", count: 3 - percent.count) + percent + " % " + stage
            if line != drawn {
                standardError("\r" + line + "\u{1B}[K")
                drawn = line
            }
        }
        return !Interruption.isRequested
    }

    func finish() {
        if isShown && !drawn.isEmpty { standardError("\r\u{1B}[K") }
    }
}
