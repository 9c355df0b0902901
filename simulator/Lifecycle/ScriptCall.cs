using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>A call to the number of a script. Nothing of it is played here: the ledger says afterwards what was.</summary>
internal sealed class ScriptCall : PlayedCall
{
    private readonly ScriptScenario _scenario;

    public ScriptCall(Stage stage, ScriptScenario scenario, string customer, CallView created) : base(stage, customer)
    {
        _scenario = scenario;
        Id = created.Id;
        stage.Enter(this);
    }

    public override string Direction => "OUTBOUND";
    public override string From => ExoPhone;
    public override string To => Customer;
    public override int AcceptedDials => _scenario.Answers.Count(answer => answer == "dial-accepted");

    // Who hears no end of a call, or never had one, knows no times of it.
    public override bool HasTimes => _scenario.Script is { Places: true, Forgotten: false };

    /// <summary>Takes over from the ledger what the provider did with this call.</summary>
    public void Witness(IEnumerable<LedgerEntry> ledger)
    {
        foreach (var entry in ledger.Where(entry => entry.CustomField == Id.ToString()))
        {
            switch (entry.Kind)
            {
                case LedgerKind.Refused:
                    Stage.Note($"{entry.HttpStatus}");
                    break;
                case LedgerKind.Dial:
                    Stage.Note(entry.HttpStatus switch { 200 => "dialled", null => "dialled (no answer)", var status => $"dialled ({status})" });
                    CallSids.Add(entry.CallSid!);
                    break;
                case LedgerKind.End:
                    Stage.Note($"ends {entry.Status}");
                    break;
                case LedgerKind.CallbackAnswer:
                    Stage.Note($"tells {LedgerCheck.Word(entry)}{(entry.HttpStatus == 200 ? "" : $" ({entry.HttpStatus?.ToString() ?? entry.Message})")}");
                    if (entry.HttpStatus == 200) Words.Add(LedgerCheck.Word(entry));
                    break;
            }
        }
    }
}
