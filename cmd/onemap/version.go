package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

// version is what releases set by -ldflags "-X main.version=…".
var version = "dev" //nolint:gochecknoglobals // the linker needs a variable

func versionCommand(_ context.Context, env environment, _ []string) error {
	_, err := fmt.Fprintln(env.stdout, "onemap", versionText())
	return err
}

// versionText is the release and, where the build knows it, the commit.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return version + " (" + s.Value[:12] + ", " + info.GoVersion + ")"
		}
	}
	return version + " (" + info.GoVersion + ")"
}
