//! What is said to somebody who does not know yet.

use crate::home::Home;

#[test]
fn help_begins_with_examples() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["--help"]), @r"
    Examples:
      wharf                                this directory in a sandbox, and an agent at work on it
      wharf run -- cargo test              run a command, with a decision before and a record after
      wharf run --shell 'ls | wc -l'       run a shell text
      wharf run -s work -- cd src          run it in a living session
      wharf run --host web-1 -- df -h      run it on another machine, over SSH
      wharf explain -- rm -rf build        what it would do, and whether it may; runs nothing
      wharf audit tail                     what was run here
      wharf sync                           your agents' configuration, the same on every machine
      wharf serve                          serve this machine on 127.0.0.1:7304

    Exit codes:
      0 done, 1 failed, 2 wrong usage, 4 login needed, 5 not found, 6 conflict, 7 blocked,
      8 needs a yes, 9 try later, 130 Ctrl-C, 143 SIGTERM. wharf run: the command's own, 128+n
      for signal n, 124 after a timeout, 125 when it was Wharf that failed or refused. A bare wharf:
      the agent's own, once it has the terminal.

    A place for coding agents to work, and a record of what they did

    Usage: wharf [OPTIONS] [PATH]
           wharf [OPTIONS] <COMMAND>

    Commands:
      run           Run a command
      explain       Say what a command would do and whether it may; runs nothing
      session       Living shells that keep directory and variables, and sandboxes
      host          Machines that commands run on over SSH
      cp            Copy files to and from hosts and sessions
      workspace     A directory in its sandbox: taken there, looked at, brought back
      ssh           A shell or a command in a sandbox
      port-forward  Ports of a sandbox on this machine
      logs          What a run wrote
      kill          End a run, or send it a signal
      approvals     Questions that wait for a person, and yeses that hold for longer
      policy        Who may run what
      registry      What is known about commands
      audit         The record of all that was asked, decided and run
      sync          Keep the configuration of your agents the same on every machine
      catalog       What others offer: skills, commands, agents, hooks and the like
      serve         Serve this machine
      auth          Log in to a server, and out of it
      whoami        Say who the server takes you for
      usage         What was used of what you may use
      agent         Agents: programs that act for you, with names, keys and bounds of their own
      key           API keys: tokens for scripts, agents and devices
      keys          SSH keys of your account
      user          Accounts, for who looks after the server
      org           Organizations, and who belongs to them
      config        Settings
      db            The database: bring it up to date, check it, copy it to another
      doctor        Look for what is wrong, and say how to put it right
      reset         Forget what this machine has as a client
      completion    Completions for a shell
      help          Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --api-url <URL>
              The server to talk to, instead of the one on this machine

          --profile <NAME>
              The login to use, of those that wharf auth switch lists

          --token-file <FILE>
              A file with the token for that server

          --json
              Write for programs: JSON on standard output, errors as JSON on standard error

      -q, --quiet
              Say nothing but errors

      -v, --verbose...
              Say more, also where standard error is no terminal

          --no-input
              Never ask

          --color <WHEN>
              Colours in Wharf's own words

              Possible values:
              - auto:   On a terminal, unless `NO_COLOR` is set
              - always: Always
              - never:  Never

              [default: auto]

    Work in a sandbox:
          --resume[=<ID>]
              Go on with the newest sandbox of the directory, or with this one

          --new
              Make a new sandbox, also where one is there

          --no-sync
              Take nothing there

          --git
              Take .git along: history and branches, no hooks; work.git says so each time

          --no-attach
              Make all of it ready and start no agent

          --agent <AGENT>
              Who gets the terminal: opencode, claude, codex, shell, or a command there; work.agent says
              who it is without this

          --env <NAME>
              Take this variable of this machine along; work.env names those of each time

          --provider <NAME>
              Who makes the sandbox, of those that the server has

      [PATH]...
              The directory that is taken into a sandbox; without it the current one
    --- stderr
    --- exit 0
    ");
}

#[test]
fn a_near_miss_is_not_guessed() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["sesion", "list"]), @r"
    --- stderr
    error[usage]: there is no command sesion
      hint: did you mean wharf session? wharf ./sesion means a directory
    --- exit 2
    ");
}

#[test]
fn completions_are_for_the_shell_that_is_asked_for() {
    let home = Home::new();
    assert!(
        home.ok(&["completion", "bash"])
            .contains("complete -F _wharf")
    );
    assert!(
        home.ok(&["completion", "fish"])
            .contains("complete -c wharf")
    );
}
