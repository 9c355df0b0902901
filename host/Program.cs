using CallOrchestration.Host;

return args is ["organizations", ..] ? await OrganizationsCommand.Run(args) : await Failures.Explained(() => HostCommand.Run(args));
