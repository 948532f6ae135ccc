package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Groups of commands, as help shows them.
var groups = []*cobra.Group{
	{ID: "start", Title: "Start:"},
	{ID: "editors", Title: "Editors and folders:"},
	{ID: "daily", Title: "Every day:"},
	{ID: "choices", Title: "What syncs how:"},
	{ID: "past", Title: "Looking back:"},
	{ID: "trust", Title: "Devices and trust:"},
	{ID: "tools", Title: "Tools:"},
}

// root is the program's command line.
func (c *cli) root() *cobra.Command {
	cobra.EnableCommandSorting = false // help shows them in the order of use
	root := &cobra.Command{
		Use:   "plait",
		Short: "Keeps your editors the same on every device, end-to-end encrypted",
		Long: `Plait keeps your editors the same on every device: settings, keybindings, snippets,
tasks and files; end-to-end encrypted, through whatever store you own. Where two
devices disagree, it shows both sides and lets you choose.

Its data is in $PLAIT_HOME, else in ~/.local/share/plait (Linux),
~/Library/Application Support/Plait (macOS) or %LOCALAPPDATA%\Plait (Windows).

Exit status: 0 done; 1 conflicts wait (sync, merge) or something was found
(doctor, log --verify); 2 anything else.`,
		Version:           versionText(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetVersionTemplate("plait {{.Version}}\n")
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON, errors too")
	root.PersistentFlags().StringVar(&c.passphraseFile, "passphrase-file", "",
		"the passphrase of this device's keys is in `FILE` (else in $PLAIT_PASSPHRASE_FILE)")
	root.AddGroup(groups...)
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add("start", c.initCommand(), c.joinCommand(), c.pairCommand())
	add("editors", c.editorsCommand(), c.attachCommand(), c.detachCommand())
	add("daily", c.syncCommand(), c.statusCommand(), c.conflictsCommand(), c.resolveCommand())
	add("choices", c.strategyCommand(), c.overlayCommand(), c.approveCommand())
	add("past", c.historyCommand(), c.diffCommand(), c.restoreCommand(), c.logCommand())
	add("trust", c.devicesCommand(), c.recoveryCommand(), c.doctorCommand(), c.exportCommand())
	add("tools", c.mergeCommand())
	root.AddCommand(c.manCommand())
	root.SetCompletionCommandGroupID("tools")
	root.SetHelpCommandGroupID("tools")
	return root
}

// reword gives the commands that cobra adds the voice of ours. They hold on to where
// output goes, so that must be set before.
func reword(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Short = "Shows help for a command"
			cmd.Long = ""
			cmd.Run, cmd.RunE = nil, func(_ *cobra.Command, args []string) error {
				about, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return fmt.Errorf("there is no command %q", strings.Join(args, " "))
				}
				about.InitDefaultHelpFlag()
				return about.Help()
			}
		case "completion":
			cmd.Short = "Writes a completion script: bash, zsh, fish or powershell"
		}
	}
}
