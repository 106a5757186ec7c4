@_cdecl("gar_placeholder") public func garPlaceholder() {}
