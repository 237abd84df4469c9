// Tests name their database themselves: what the shell has set must not lead them elsewhere.
delete process.env['DATABASE_URL'];
delete process.env['TRUEUP_HOME'];
