package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes the manual's pages, for packagers and `make man`.
func (c *cli) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Writes the manual's pages into DIR",
		Hidden: true,
		Args:   takes(1, 1),
		RunE: c.do(func(_ context.Context, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			header := &doc.GenManHeader{Title: "PLAIT", Section: "1", Source: "Plait", Manual: "Plait"}
			return doc.GenManTree(c.root(), header, args[0])
		}),
	}
}
