"""Labels the document pairs of quacky.jsonl.gz with z3: does new grant what old does not, and the other way round?

Usage: python3 label_quacky.py POLICIES.jsonl.gz TARGET.jsonl.gz   (lines {case_id, policy}; needs the package z3-solver)
"""
import gzip,json,re,sys,ipaddress,datetime
import z3
L={json.loads(l)['case_id'][7:]:json.loads(l)['policy'] for l in gzip.open(sys.argv[1],'rt')}
ANY=z3.AllChar(z3.ReSort(z3.StringSort()))
ALL=z3.Full(z3.ReSort(z3.StringSort()))
def rx(p):
    parts=[]
    for c in re.findall(r'[*]|[?]|[^*?]+',p):
        parts.append(ALL if c=='*' else ANY if c=='?' else z3.Re(c))
    if not parts: return z3.Re('')
    return parts[0] if len(parts)==1 else z3.Concat(*parts)
def lst(x): return x if isinstance(x,list) else [x]
A=z3.String('a');R=z3.String('r');P=z3.String('p')
def arn(p):
    if p=='*' : return p
    while p.count(':')<5: p+=':*'
    return p
def name(kind,x): return kind+':'+x
def princ(x):
    if x=='*': return z3.BoolVal(True)
    out=[]
    for k,v in x.items():
        for y in lst(v):
            if y=='*': out.append(z3.BoolVal(True)); continue
            m=re.fullmatch(r'(\d{12})|arn:aws:iam::(\d{12}):root',y)
            if m:
                acc=m.group(1) or m.group(2)
                out.append(z3.InRe(P,rx('AWS:arn:aws:iam::'+acc+':*')))
            else: out.append(P==z3.StringVal(k+':'+y))
    return z3.Or(out)
def num(v): return float(v)
def cond(op,key,vals):
    key=key.lower(); vals=[str(v).lower() if isinstance(v,bool) else str(v) for v in lst(vals)]
    present=z3.Bool('has_'+key)
    if op=='Null': return z3.Or([z3.Not(present) if v.lower()=='true' else present for v in vals])
    q=None
    if ':' in op: q,op=op.split(':')
    ife=op.endswith('IfExists'); base=op[:-8] if ife else op
    neg=False
    s=z3.String('k_'+key)
    if base.startswith('String') or base.startswith('Arn'):
        neg='Not' in base; b=base.replace('Not','')
        if b=='StringEquals': t=[s==z3.StringVal(v) for v in vals]
        elif b=='StringEqualsIgnoreCase': t=[z3.String('f_'+key)==z3.StringVal(v.lower()) for v in vals]
        else: t=[z3.InRe(s,rx(v)) for v in vals]
    elif base in('IpAddress','NotIpAddress'):
        neg=base.startswith('Not'); i=z3.Int('ip_'+key); t=[]
        for v in vals:
            n=ipaddress.ip_network(v,strict=False); t.append(z3.And(i>=int(n.network_address),i<=int(n.broadcast_address)))
    elif base.startswith('Numeric') or base.startswith('Date'):
        x=z3.Real('n_'+key); f=num if base[0]=='N' else (lambda v: datetime.datetime.fromisoformat(v.replace('Z','+00:00')).timestamp())
        c=base[7:] if base[0]=='N' else base[4:]
        t=[{'LessThan':x<f(v),'LessThanEquals':x<=f(v),'GreaterThan':x>f(v),'GreaterThanEquals':x>=f(v),'Equals':x==f(v)}[c] for v in vals]
    elif base=='Bool':
        t=[z3.String('b_'+key)==z3.StringVal(v.lower()) for v in vals]
    else: raise Exception(op)
    t=z3.Or(t); t=z3.Not(t) if neg else t
    absent=ife or q=='ForAllValues' or (neg and q is None)
    return z3.If(present,t,z3.BoolVal(absent))
def stmt(s):
    f=[]
    ac=[z3.InRe(A,rx('*:*' if x=='*' else x.lower())) for x in lst(s.get('Action',s.get('NotAction')))]
    f.append(z3.Not(z3.Or(ac)) if 'NotAction' in s else z3.Or(ac))
    if 'Resource' in s or 'NotResource' in s:
        rc=[z3.InRe(R,rx(arn(x))) for x in lst(s.get('Resource',s.get('NotResource')))]
        f.append(z3.Not(z3.Or(rc)) if 'NotResource' in s else z3.Or(rc))
    if 'Principal' in s: f.append(princ(s['Principal']))
    if 'NotPrincipal' in s: f.append(z3.Not(princ(s['NotPrincipal'])))
    for o,kv in s.get('Condition',{}).items():
        for k,v in kv.items(): f.append(cond(o,k,v))
    return z3.And(f)
def grant(p):
    st=lst(p['Statement'])
    return z3.And(z3.Or([stmt(s) for s in st if s['Effect']=='Allow']+[z3.BoolVal(False)]),z3.Not(z3.Or([stmt(s) for s in st if s['Effect']=='Deny']+[z3.BoolVal(False)])))
def query(new,old):
    s=z3.Solver(); s.set('timeout',3000)
    s.add(z3.InRe(A,z3.Concat(z3.Plus(z3.Union(z3.Range('!','9'),z3.Range(';','~'))),z3.Re(':'),z3.Plus(z3.Union(z3.Range('!','9'),z3.Range(';','~'))))))
    s.add(z3.Length(R)>0)
    for c in 'ABCDEFGHIJKLMNOPQRSTUVWXYZ': pass
    s.add(grant(new),z3.Not(grant(old)))
    r=s.check(); return True if r==z3.sat else False if r==z3.unsat else None
pairs=[]
for k in L:
    if k.startswith('mutations/'):
        o=k[len('mutations/'):].rsplit('/',1)[0]+'.json'; pairs.append((o,k))
for a in L:
    if a.startswith(('og/','vlab/','ec2/','iam/','s3/')) and ('initial.json' in a):
        for b in (a.replace('initial','fixed'),): 
            if b in L: pairs.append((a,b))
    if a.startswith('og/') and a.endswith('-1.json'): pairs.append((a,a.replace('-1.json','-2.json')))
seen=set(); out=[]; bad=0; last=None
for o,n in pairs:
    key=json.dumps([L[o],L[n]],sort_keys=True)
    if key in seen: continue
    seen.add(key)
    if '${' in key or 'Statement' not in L[o] or 'Statement' not in L[n]: 
        if not o.startswith('og/prefix'):pass
    try: g,l=query(L[n],L[o]),query(L[o],L[n])
    except Exception as e: print('ERR',o,n,repr(e)[:100],file=sys.stderr); bad+=1; continue
    if g is None or l is None: print('TIMEOUT',o,n,g,l,file=sys.stderr); bad+=1; continue
    out.append((o,n,g,l))
print(len(pairs),len(out),bad,file=sys.stderr)
docs={}
rows=[]
for o,n,g,l in out:
    rows.append({'name':n[:-5],'new_access':g,'lost_access':l,'old':L[o],'new':L[n]})
text=''.join(json.dumps(r,separators=(',',':'))+'\n' for r in rows)
open(sys.argv[2],'wb').write(gzip.compress(text.encode(),9,mtime=0))
import collections
print(collections.Counter((g,l) for _,_,g,l in out),len(text),file=sys.stderr)
