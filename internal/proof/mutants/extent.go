package mutants

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
)

// extent returns where in a file's text a declaration stands: that of a function,
// of a method ("Type.method"), or of a variable, constant or type.
func extent(text, name string) (from, to int, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		return 0, 0, err
	}
	for _, decl := range file.Decls {
		for _, node := range declared(decl, name) {
			if from != 0 {
				return 0, 0, fmt.Errorf("there are two declarations of %s", name)
			}
			from, to = fset.Position(node.Pos()).Offset, fset.Position(node.End()).Offset
		}
	}
	if from == 0 {
		return 0, 0, fmt.Errorf("there is no %s", name)
	}
	return from, to, nil
}

// declared returns the nodes of a declaration that declare the name.
func declared(decl ast.Decl, name string) (nodes []ast.Node) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if functionName(decl) == name {
			nodes = append(nodes, decl)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.Name == name {
					nodes = append(nodes, spec)
				}
			case *ast.ValueSpec:
				for _, one := range spec.Names {
					if one.Name == name {
						nodes = append(nodes, spec)
					}
				}
			}
		}
	}
	return nodes
}

// functionName is a function's name, behind that of its receiver's type.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
